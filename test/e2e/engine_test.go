// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/test/ours"
)

// background returns a context for cleanups, because the test's own context is done by then.
func background(t *testing.T) context.Context {
	t.Helper()
	return context.WithoutCancel(t.Context())
}

// socketPath returns the path of the engine's socket, which these tests mount into a container.
func socketPath(t *testing.T) string {
	t.Helper()
	socket, ok := strings.CutPrefix(world.host, "unix://")
	require.True(t, ok, "these tests need an engine on a socket, not at %s", world.host)
	return socket
}

// isPodman reports whether the engine is podman, where it differs on purpose.
func isPodman(t *testing.T) bool {
	t.Helper()
	var version struct{ Components []struct{ Name string } }
	require.NoError(t, world.engine.Get(timeout(t), "/version", &version))
	return len(version.Components) > 0 && strings.HasPrefix(version.Components[0].Name, "Podman")
}

// createNetwork creates a network that is removed when the test ends.
func createNetwork(t *testing.T, name string) string {
	t.Helper()
	require.NoError(t, world.engine.Post(timeout(t), "/networks/create", map[string]any{"Name": name, "CheckDuplicate": true}, nil))
	t.Cleanup(func() { assert.NoError(t, world.engine.Delete(background(t), "/networks/"+name)) })
	return name
}

// createContainer creates a container that is removed when the test ends.
func createContainer(t *testing.T, name string, spec map[string]any) string {
	t.Helper()
	path := "/containers/create"
	if name != "" {
		path += "?name=" + name
	}
	var created struct{ ID string }
	require.NoError(t, world.engine.Post(timeout(t), path, spec, &created))
	t.Cleanup(func() {
		assert.NoError(t, world.engine.Delete(background(t), "/containers/"+created.ID+"?force=1&v=1"))
	})
	return created.ID
}

// printedBy returns a container's output on both streams.
func printedBy(t *testing.T, id string) string {
	t.Helper()
	framed, err := world.engine.Read(timeout(t), "/containers/"+id+"/logs?stdout=1&stderr=1")
	require.NoError(t, err)
	var text bytes.Buffer
	for len(framed) >= 8 {
		size := int(binary.BigEndian.Uint32(framed[4:8]))
		require.GreaterOrEqual(t, len(framed), 8+size)
		text.Write(framed[8 : 8+size])
		framed = framed[8+size:]
	}
	return text.String()
}

// commandsIn returns the commands of the processes in a container, from the kernel of this machine, which is the engine's:
// podman's list of them fails for some images.
func commandsIn(t *testing.T, id string) []string {
	t.Helper()
	var inspected struct{ State struct{ Pid int } }
	require.NoError(t, world.engine.Get(timeout(t), "/containers/"+id+"/json", &inspected))
	namespace, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", inspected.State.Pid))
	require.NoError(t, err)
	processes, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(t, err)
	var commands []string
	for _, process := range processes {
		if its, _ := os.Readlink(process + "/ns/pid"); its == namespace { // it may have ended meanwhile
			command, _ := os.ReadFile(process + "/cmdline")
			commands = append(commands, strings.TrimSpace(strings.ReplaceAll(string(command), "\x00", " ")))
		}
	}
	return commands
}

// watchNetworks looks at the networks of the chaincodes of a peer while it runs. The result of stop has them by container;
// podman has no events that tell.
func watchNetworks(t *testing.T, peerAddress string) (stop func() map[string][]string) {
	t.Helper()
	ctx, cancel := context.WithCancel(timeout(t))
	host, _, _ := strings.Cut(peerAddress, ":")
	joined := map[string][]string{}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			for _, c := range runningFor(ctx, peerAddress) {
				var found connections
				if world.engine.Get(ctx, "/containers/"+c.ID+"/json", &found) == nil && len(found.networks()) > 0 {
					assert.True(t, strings.HasPrefix(found.Name, "/dev-"+host+"-"), "%s is not called as tools expect", found.Name)
					joined[c.ID] = found.networks()
				}
			}
			select {
			case <-ctx.Done():
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	return func() map[string][]string {
		cancel()
		<-ended
		return joined
	}
}

// runningFor returns the running containers of a peer's chaincodes. Errors are left to the next look. On an engine that others
// use too, only those of the tests count.
func runningFor(ctx context.Context, peerAddress string) []containerState {
	var all []containerState
	filters := url.QueryEscape(fmt.Sprintf(`{"label":[%q],"status":["running"]}`, metadata.LabelPeerAddress+"="+peerAddress))
	_ = world.engine.Get(ctx, "/containers/json?filters="+filters, &all)
	return slices.DeleteFunc(all, func(c containerState) bool { return !ours.Made(c.Names, c.Labels) })
}

// connections holds the networks and mounts of a container.
type connections struct {
	Name       string
	HostConfig struct {
		NetworkMode    string
		ReadonlyRootfs bool
		ExtraHosts     []string
	}
	NetworkSettings struct {
		Networks map[string]struct{ Aliases []string }
	}
	Mounts []struct{ Type, Name, Destination string }
}

// networks returns Docker's names of networks: podman calls its default network podman, and does not list none.
func (c connections) networks() []string {
	var names []string
	for name := range c.NetworkSettings.Networks {
		if name == "podman" {
			name = "bridge"
		}
		if name != "none" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func connectionsOf(t *testing.T, id string) connections {
	t.Helper()
	var found connections
	require.NoError(t, world.engine.Get(timeout(t), "/containers/"+id+"/json", &found))
	return found
}
