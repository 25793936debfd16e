// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
)

// oldestAPI is the minor number of the API's oldest version that is tested, that of Docker 20.10.
const oldestAPI = 41

// checkSocket says whose the engine's socket is. That it cannot be opened is told by the connection.
func (c *checker) checkSocket() {
	endpoint, err := url.Parse(c.settings.VM.Endpoint)
	if err != nil || endpoint.Scheme != "unix" {
		return
	}
	info, err := os.Stat(endpoint.Path)
	if err != nil || c.isNoSocket(info, endpoint.Path) {
		return
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok {
		groups, _ := os.Getgroups()
		c.ok("socket", "%s belongs to %s and group %s, mode %v; this process is %s, in groups %v",
			endpoint.Path, userName(owner.Uid), groupName(owner.Gid), info.Mode().Perm(), userName(uint32(os.Geteuid())), append([]int{os.Getegid()}, groups...))
	}
}

func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if found, err := user.LookupId(id); err == nil {
		return fmt.Sprintf("uid %s (%s)", id, found.Username)
	}
	return "uid " + id
}

func groupName(gid uint32) string {
	id := strconv.FormatUint(uint64(gid), 10)
	if found, err := user.LookupGroupId(id); err == nil {
		return fmt.Sprintf("%s (%s)", id, found.Name)
	}
	return id
}

// remedyForEngine returns what to do if no engine answers.
func (c *checker) remedyForEngine(err error) string {
	tls := c.settings.VM.Docker.TLS
	isUnix := strings.HasPrefix(c.settings.VM.Endpoint, "unix://")
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "give the peer's user the socket's group (compose: group_add), not other rights to the socket"
	case errors.Is(err, fs.ErrNotExist) && isUnix:
		return "start the engine; if the peer runs in a container, mount the socket there (volumes: /var/run/docker.sock:/var/run/docker.sock)"
	case errors.Is(err, syscall.ECONNREFUSED) && isUnix:
		return "start the engine, or correct the endpoint"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "start the engine, or correct the endpoint: an engine does not listen on TCP unless it is told to, usually at port 2376 with TLS"
	case tls.Enabled || strings.HasPrefix(c.settings.VM.Endpoint, "https://"):
		return fmt.Sprintf("set vm.docker.tls.ca.file to the authority that has issued the engine's certificate (now %q), and cert.file and key.file to a client certificate of the engine's",
			tls.CA.File)
	case !strings.Contains(c.settings.VM.Endpoint, "://") && strings.HasPrefix(c.settings.VM.Endpoint, "/"):
		return "write unix:// in front of the path of a socket: unix://" + c.settings.VM.Endpoint
	case !isUnix:
		return "look whether the host is right and a firewall lets the port through; if the engine wants TLS (port 2376), set vm.docker.tls.enabled"
	}
	return lookAtLog
}

// lookAtLog is the remedy for an error of the engine's own.
const lookAtLog = "look at the engine's own log (journalctl -u docker)"

// checkEngine shows what the engine is. It returns false if it cannot be used.
func (c *checker) checkEngine(ctx context.Context) bool {
	about, err := c.engine.Describe(ctx)
	if err != nil {
		c.fail("engine", err.Error(), fmt.Sprintf("use an engine with API 1.%d or newer (Docker 20.10), or, if the engine is newer than this builder, a newer builder; "+
			"if a proxy refuses the call, allow it", oldestAPI))
		return false
	}
	c.about = about
	shown := fmt.Sprintf("%s %s, API %s, %s, at %s (from %s)", about.Name, about.Version, about.API, about.Platform, c.settings.VM.Endpoint, c.settings.EndpointSource())
	minor, err := strconv.Atoi(strings.TrimPrefix(about.API, "1."))
	if err == nil && minor < oldestAPI {
		c.fail("engine", shown+fmt.Sprintf(": API %s is too old", about.API), fmt.Sprintf("upgrade the engine: API 1.%d (Docker 20.10) is the oldest that this builder is tested with", oldestAPI))
		return false
	}
	c.ok("engine", "%s", shown)
	return true
}

// checkCalls finds out which calls a proxy in front of the engine refuses.
func (c *checker) checkCalls(ctx context.Context) {
	refused, err := c.engine.RefusedCalls(ctx)
	if err != nil {
		return // stopped
	}
	c.refused = map[string]bool{}
	for _, call := range refused {
		c.refused[call.Call] = true
		message := fmt.Sprintf("a proxy in front of the engine, or a plugin of the engine, refuses %s", call.Call)
		if call.Need != "" {
			c.note("calls", "%s, needed by %s", message, call.Need)
			continue
		}
		c.fail("calls", message+", which builds and launches need", "allow it there; docs/peer-image.md lists all calls")
	}
	if len(refused) == 0 {
		c.ok("calls", "nothing between this program and the engine refuses one")
	}
}

// checkInit checks whether podman has an init: the API does not say, but a container with one cannot be created without it. On
// Docker, whose start fails, the probe tells.
func (c *checker) checkInit(ctx context.Context) {
	if !c.about.Podman || !c.settings.Builder.Security.Init {
		return
	}
	image := c.anyImage(ctx)
	if image.ID == "" {
		c.note("init", "not checked, since there is no base image on the engine yet to create a container of")
		return
	}
	spec := c.spec(image)
	spec.Init = true
	err := c.withContainer(ctx, spec, func(string) error { return nil })
	switch {
	case gone(ctx, err):
	case err != nil:
		c.fail("init", "podman cannot create a container with an init: "+err.Error(), "install catatonit on the engine's machine, or set builder.security.init to false")
	default:
		c.ok("init", "the engine has one")
	}
}

// spec describes a container of this package, which a later build removes if this program is killed.
func (c *checker) spec(image docker.Image) docker.Spec {
	return docker.Spec{
		Name:    metadata.AssemblyName(c.settings.Builder.Prefix, metadata.RandomID()),
		OwnName: true,
		Image:   image.ID,
		Command: []string{"/bin/sh"},
		Labels:  map[string]string{metadata.LabelKind: metadata.KindAssembly},
	}
}

// withContainer creates a container, calls use with its ID, and removes it whatever happens.
func (c *checker) withContainer(ctx context.Context, spec docker.Spec, use func(id string) error) error {
	id, _, err := c.engine.CreateOrInspect(ctx, spec)
	if err != nil {
		return err
	}
	defer c.images().Discard(ctx, id)
	return use(id)
}
