// SPDX-License-Identifier: Apache-2.0

package docker_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/test/fakeengine"
)

// Engines report the names of a container in different fields.
func TestAttached(t *testing.T) {
	tests := map[string]struct {
		answer string
		want   docker.Attached
	}{
		"docker 20.10": {
			`{"Id":"0d5c3a0b6f2e","Name":"/peer0.example.com","HostConfig":{"NetworkMode":"fabric_test"},"Config":{"Hostname":"foo","Domainname":""},
			  "NetworkSettings":{"Networks":{
			    "fabric_test":{"Aliases":["al","0d5c3a0b6f2e","foo"],"IPAddress":"172.19.0.2","GlobalIPv6Address":"","DNSNames":null},
			    "couch":{"Aliases":["0d5c3a0b6f2e","foo"],"IPAddress":"172.20.0.2","GlobalIPv6Address":"fd00::2"}}}}`,
			docker.Attached{ID: "0d5c3a0b6f2e", Name: "peer0.example.com", Hostname: "foo", Mode: "fabric_test", Endpoints: []docker.Endpoint{
				{Network: "couch", Names: []string{"0d5c3a0b6f2e", "foo", "peer0.example.com"}, Addresses: []string{"172.20.0.2", "fd00::2"}},
				{Network: "fabric_test", Names: []string{"0d5c3a0b6f2e", "al", "foo", "peer0.example.com"}, Addresses: []string{"172.19.0.2"}},
			}},
		},
		"docker 29": {
			`{"Id":"0d5c3a0b6f2e","Name":"/peer0","HostConfig":{"NetworkMode":"bridge"},"Config":{"Hostname":"peer0","Domainname":"example.com"},
			  "NetworkSettings":{"Networks":{
			    "bridge":{"Aliases":null,"IPAddress":"172.17.0.2","DNSNames":null},
			    "fabric_test":{"Aliases":["al"],"IPAddress":"172.19.0.2","DNSNames":["peer0","al","0d5c3a0b6f2e"]}}}}`,
			docker.Attached{ID: "0d5c3a0b6f2e", Name: "peer0", Hostname: "peer0.example.com", Mode: "bridge", Endpoints: []docker.Endpoint{
				{Network: "bridge", Addresses: []string{"172.17.0.2"}}, // this network resolves no names
				{Network: "fabric_test", Names: []string{"0d5c3a0b6f2e", "al", "peer0", "peer0.example.com"}, Addresses: []string{"172.19.0.2"}},
			}},
		},
		"podman": {
			`{"Id":"0d5c3a0b6f2e","Name":"/peer0","HostConfig":{"NetworkMode":"bridge"},"Config":{"Hostname":"0d5c3a0b6f2e"},
			  "NetworkSettings":{"Networks":{"podman":{"Aliases":["0d5c3a0b6f2e"],"IPAddress":"10.88.0.2"}}}}`,
			docker.Attached{ID: "0d5c3a0b6f2e", Name: "peer0", Hostname: "0d5c3a0b6f2e", Mode: "bridge", Endpoints: []docker.Endpoint{
				{Network: "podman", Addresses: []string{"10.88.0.2"}},
			}},
		},
		"host network": {
			`{"Id":"a","Name":"/peer0","HostConfig":{"NetworkMode":"host"},"Config":{"Hostname":"machine"},"NetworkSettings":{"Networks":{"host":{}}}}`,
			docker.Attached{ID: "a", Name: "peer0", Hostname: "machine", Mode: "host", Endpoints: []docker.Endpoint{{Network: "host", Names: []string{"machine", "peer0"}}}},
		},
		"no details": {`{"Id":"a","NetworkSettings":{"Networks":{"x":null}}}`, docker.Attached{ID: "a", Endpoints: []docker.Endpoint{{Network: "x"}}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			engine, client := connect(t)
			engine.On(fakeengine.Inspect, fakeengine.Answer(http.StatusOK, test.answer))
			found, err := client.Attached(t.Context(), "a")
			require.NoError(t, err)
			assert.Equal(t, test.want, found)
		})
	}
}

func TestMissingNetworks(t *testing.T) {
	for flavour, options := range flavours {
		t.Run(flavour, func(t *testing.T) {
			engine, client := connect(t, options...)
			engine.AddNetwork("fabric_test")
			wanted := []string{"", "default", "bridge", "podman", "host", "none", "private", "slirp4netns:mtu=1500", "container:x", "ns:/x", "fabric_test", "id-fabric", "net_test", "bridges"}
			missing, err := client.MissingNetworks(t.Context(), wanted)
			require.NoError(t, err)
			assert.Equal(t, []string{"net_test", "bridges"}, missing)
			known, err := client.Networks(t.Context())
			require.NoError(t, err)
			assert.Contains(t, known, "fabric_test")
			assert.IsIncreasing(t, known)

			none, err := client.MissingNetworks(t.Context(), []string{"host"})
			require.NoError(t, err)
			assert.Empty(t, none)
			assert.Len(t, engine.Calls(fakeengine.NetworkList), 2, "built-in networks need no call")
		})
	}
}

// Engines reject aliases on their built-in networks.
func TestAliases(t *testing.T) {
	tests := map[string]struct {
		network string
		aliased bool
	}{
		"user-defined": {"fabric_test", true}, "built-in": {"bridge", false}, "podman's": {"podman", false}, "host": {"host", false},
		"container": {"container:x", false}, "default": {"", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			engine, client := connect(t)
			_, _, err := client.CreateOrInspect(t.Context(), docker.Spec{Name: "one", Image: "base:1", NetworkMode: test.network, Aliases: []string{"basic"}})
			require.NoError(t, err)
			sent := string(engine.Calls(fakeengine.Create)[0].Body)
			assert.Equal(t, test.aliased, strings.Contains(sent, `"EndpointsConfig":{"`+test.network+`":`), sent)
			assert.Equal(t, test.aliased, strings.Contains(sent, `"Aliases":["basic"]`), sent)
		})
	}
}

func TestConnectToANetwork(t *testing.T) {
	for flavour, options := range flavours {
		t.Run(flavour, func(t *testing.T) {
			engine, client := connect(t, options...)
			engine.AddNetwork("metrics")
			create(t, client)
			require.NoError(t, client.Connect(t.Context(), "one", "metrics", []string{"basic"}))
			assert.Contains(t, string(engine.Calls(fakeengine.NetworkConnect)[0].Body), `"Aliases":["basic"]`)
			connected, _ := engine.Container("one")
			assert.Equal(t, []string{"metrics"}, connected.Networks)
			err := client.Connect(t.Context(), "two", "metrics", nil)
			assert.ErrorContains(t, err, `connecting container "two" to network "metrics": `)
		})
	}
}

// Anonymous volumes are removed with the container. Java libraries execute native code from a tmpfs.
func TestReadOnlyContainerHasVolumesAndTmpfs(t *testing.T) {
	engine, client := connect(t)
	_, _, err := client.CreateOrInspect(t.Context(), docker.Spec{Name: "one", Image: "base:1", ReadOnly: true, AnonymousVolumes: []string{"/keys"},
		Tmpfs: []docker.Tmpfs{{Path: "/tmp", Size: "64m", Exec: true}, {Path: "/few", Size: "1m"}}})
	require.NoError(t, err)
	config, host := lastCreate(t, engine)
	assert.Equal(t, map[string]any{"/keys": map[string]any{}}, config["Volumes"])
	assert.Equal(t, true, host["ReadonlyRootfs"])
	assert.Equal(t, map[string]any{
		"/tmp": "rw,exec,nosuid,nodev,size=64m,mode=1777",
		"/few": "rw,noexec,nosuid,nodev,size=1m,mode=1777",
	}, host["Tmpfs"])
}
