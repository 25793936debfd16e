package docker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// Unreachable is an engine that did not answer: where, and the reason in an operator's words.
type Unreachable struct {
	Host   string
	Reason string
	Err    error
}

func (u *Unreachable) Error() string {
	return fmt.Sprintf("no container engine answers at %s: %s", u.Host, u.Reason)
}

func (u *Unreachable) Unwrap() error { return u.Err }

// unreachable finds out why. The SDK has lost the system's own error by then, so it is asked for again.
func unreachable(ctx context.Context, host string, err error) error {
	if ctx.Err() != nil {
		return &Unreachable{Host: host, Reason: context.Cause(ctx).Error(), Err: err}
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
		return "there is no such socket"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the socket is there, but no engine listens on it"
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("permission denied for uid %d: %s", os.Getuid(), socketGroup(path))
	}
	return err.Error()
}

// socketGroup tells whom the socket lets in.
func socketGroup(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "a directory on the way to the socket is closed to this user"
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "the socket is closed to this user"
	}
	gid := strconv.FormatUint(uint64(owner.Gid), 10)
	if group, err := user.LookupGroupId(gid); err == nil {
		gid = fmt.Sprintf("%s (%s)", gid, group.Name)
	}
	return fmt.Sprintf("add this user to the socket's group %s, in a container with --group-add", gid)
}
