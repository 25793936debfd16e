// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"github.com/containerd/errdefs"
	"github.com/containerd/errdefs/pkg/errhttp"
	"github.com/docker/docker/client"
)

// Unreachable is the error of Connect if no engine answers.
type Unreachable struct {
	Host   string // the endpoint
	Reason string // for an operator
	Err    error
}

func (u *Unreachable) Error() string {
	return fmt.Sprintf("no container engine answers at %s: %s", u.Host, u.Reason)
}

func (u *Unreachable) Unwrap() error { return u.Err }

// IsUnreachable reports whether an error means that the connection to the engine was lost or could not be made. A proxy in front
// of the engine says so with the status 502 or 503.
func IsUnreachable(err error) bool {
	var u *Unreachable
	return errors.As(err, &u) || client.IsErrConnectionFailed(err) || errdefs.IsUnavailable(err) || errors.Is(err, errhttp.ToNative(http.StatusBadGateway))
}

// unreachable returns an [Unreachable] with the reason. The SDK drops the system's error, so unreachable dials again to
// get it.
func unreachable(ctx context.Context, host string, err error) error {
	if cause := Cause(ctx); cause != nil {
		return &Unreachable{Host: host, Reason: cause.Error(), Err: err}
	}
	network, address := "tcp", ""
	if endpoint, parseErr := url.Parse(host); parseErr == nil {
		address = endpoint.Host
		if endpoint.Scheme == "unix" {
			network, address = "unix", endpoint.Path
		}
	}
	conn, dialErr := (&net.Dialer{}).DialContext(ctx, network, address)
	if dialErr == nil {
		conn.Close()
		return &Unreachable{Host: host, Reason: err.Error(), Err: err}
	}
	reason := dialErr.Error()
	if network == "unix" {
		reason = socketReason(address, dialErr)
	}
	return &Unreachable{Host: host, Reason: reason, Err: dialErr}
}

func socketReason(path string, err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "the socket does not exist"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the socket exists, but no engine listens on it"
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("permission denied for uid %d: %s", os.Getuid(), socketHint(path))
	}
	return err.Error()
}

// socketHint returns what to do about a socket that this user may not open.
func socketHint(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "this user cannot enter a directory above the socket"
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "this user may not open the socket"
	}
	if info.Mode().Perm()&0o060 != 0o060 {
		return fmt.Sprintf("its mode is %v, so that its group may not open it either", info.Mode().Perm())
	}
	gid := strconv.FormatUint(uint64(owner.Gid), 10)
	if group, err := user.LookupGroupId(gid); err == nil {
		gid = fmt.Sprintf("%s (%s)", gid, group.Name)
	}
	return fmt.Sprintf("add this user to the socket's group %s (for a container: --group-add)", gid)
}
