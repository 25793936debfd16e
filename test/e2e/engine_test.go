package e2e_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
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

// engineTime returns the engine's time.
func engineTime(t *testing.T) time.Time {
	t.Helper()
	var info struct{ SystemTime time.Time }
	require.NoError(t, world.engine.Get(timeout(t), "/info", &info))
	return info.SystemTime
}

// networksJoined returns, by container, the networks of all chaincodes of a peer that were started in a period. The
// containers may have been removed since.
func networksJoined(t *testing.T, since, until time.Time, peerAddress string) map[string][]string {
	t.Helper()
	moment := func(at time.Time) string { return fmt.Sprintf("%d.%09d", at.Unix(), at.Nanosecond()) }
	query := url.Values{"since": {moment(since)}, "until": {moment(until)}, "filters": {`{"type":["container","network"]}`}}
	stream, err := world.engine.Read(timeout(t), "/events?"+query.Encode())
	require.NoError(t, err)
	joined := map[string][]string{}
	for events := json.NewDecoder(bytes.NewReader(stream)); ; {
		var event struct {
			Type, Action string
			Actor        struct {
				ID         string
				Attributes map[string]string
			}
		}
		err := events.Decode(&event)
		if errors.Is(err, io.EOF) {
			return joined
		}
		require.NoError(t, err)
		switch attributes := event.Actor.Attributes; {
		case event.Type == "container" && event.Action == "create" && attributes[metadata.LabelPeerAddress] == peerAddress:
			joined[event.Actor.ID] = nil
		case event.Type == "network" && event.Action == "connect":
			if names, ours := joined[attributes["container"]]; ours {
				joined[attributes["container"]] = append(names, attributes["name"])
			}
		}
	}
}

// connections holds the networks and mounts of a container.
type connections struct {
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
