// SPDX-License-Identifier: Apache-2.0

package network_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/host"
	"fabric-builder-docker/internal/network"
)

// ownID is the ID of the peer's container, otherID that of a container of another engine.
const (
	ownID   = "0d5c3a0b6f2e4c8d9a7b1e2f3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f"
	otherID = "9f8e7d6c5b4a39281706f5e4d3c2b1a0998877665544332211ffeeddccbbaa00"
)

// containersOnly is an engine that only inspects containers.
type containersOnly struct {
	network.Engine
	containers map[string]docker.Attached
	err        error
}

func (c containersOnly) Attached(_ context.Context, id string) (docker.Attached, error) {
	if found, ok := c.containers[id]; ok {
		return found, nil
	}
	if c.err != nil {
		return docker.Attached{}, c.err
	}
	return docker.Attached{}, fmt.Errorf("inspecting container %q: %w", id, docker.ErrNoContainer)
}

func newLog() (hclog.Logger, *bytes.Buffer) {
	var output bytes.Buffer
	return cli.NewLogger("run", &output), &output
}

// The default network is the peer's own.
func TestAChaincodeGoesWhereThePeerIs(t *testing.T) {
	const peer0 = "peer0.org1.example.com"
	bridge := docker.Endpoint{Network: "bridge", Addresses: []string{"172.17.0.2"}}
	couch := docker.Endpoint{Network: "couch", Names: []string{"peer0-couch"}, Addresses: []string{"172.19.0.2"}}
	fabric := docker.Endpoint{Network: "fabric_test", Names: []string{peer0, "peer0"}, Addresses: []string{"172.18.0.2", "fd00::2"}}
	backup := docker.Endpoint{Network: "backup", Names: []string{peer0}, Addresses: []string{"127.0.0.1"}}
	ingress := docker.Endpoint{Network: "ingress", Addresses: []string{"10.0.0.2"}}
	onFabric := []string{peer0 + ":172.18.0.2"}
	tests := map[string]struct {
		ids     []string
		peer    docker.Attached
		address string
		names   []string
		hosts   []string
		logged  string
	}{
		"on the host":                           {address: "127.0.0.1:7052", names: []string{"host"}},
		"in a container on the host's":          {ids: []string{ownID}, peer: docker.Attached{Mode: "host"}, address: "127.0.0.1:7052", names: []string{"host"}},
		"in the one network it has":             {ids: []string{ownID}, peer: docker.Attached{Endpoints: []docker.Endpoint{fabric}}, address: peer0 + ":7052", names: []string{"fabric_test"}, hosts: onFabric},
		"not with the state database":           {ids: []string{ownID}, peer: docker.Attached{Endpoints: []docker.Endpoint{bridge, couch, fabric}}, address: peer0 + ":7052", names: []string{"fabric_test"}, hosts: onFabric},
		"in another case":                       {ids: []string{ownID}, peer: docker.Attached{Endpoints: []docker.Endpoint{couch, fabric}}, address: "Peer0.Org1.example.com:7052", names: []string{"fabric_test"}, hosts: []string{"Peer0.Org1.example.com:172.18.0.2"}},
		"by an address":                         {ids: []string{ownID}, peer: docker.Attached{Endpoints: []docker.Endpoint{couch, fabric}}, address: "172.18.0.2:7052", names: []string{"fabric_test"}},
		"by an IPv6 address":                    {ids: []string{ownID}, peer: docker.Attached{Endpoints: []docker.Endpoint{couch, fabric}}, address: "[fd00::2]:7052", names: []string{"fabric_test"}},
		"under an unknown name":                 {ids: []string{ownID}, peer: docker.Attached{Name: "x", Endpoints: []docker.Endpoint{couch, fabric}}, address: "balancer:7052", names: []string{"couch", "fabric_test"}},
		"a name on the ingress network alone":   {ids: []string{ownID}, peer: docker.Attached{Endpoints: []docker.Endpoint{fabric, {Network: "ingress", Names: []string{"swarm-peer"}}}}, address: "swarm-peer:7052", names: []string{"fabric_test"}},
		"without the ingress network":           {ids: []string{ownID}, peer: docker.Attached{Endpoints: []docker.Endpoint{fabric, ingress}}, address: "balancer:7052", names: []string{"fabric_test"}},
		"where no names are resolved":           {ids: []string{ownID}, peer: docker.Attached{Name: peer0, Endpoints: []docker.Endpoint{bridge}}, address: peer0 + ":7052", names: []string{"bridge"}, hosts: []string{peer0 + ":172.17.0.2"}},
		"by a host name that is not resolved":   {ids: []string{ownID}, peer: docker.Attached{Name: "x", Hostname: peer0, Endpoints: []docker.Endpoint{bridge}}, address: peer0 + ":7052", names: []string{"bridge"}, hosts: []string{peer0 + ":172.17.0.2"}},
		"behind another engine's id":            {ids: []string{otherID, ownID}, peer: docker.Attached{Endpoints: []docker.Endpoint{fabric}}, address: peer0 + ":7052", names: []string{"fabric_test"}, hosts: onFabric},
		"in the network of another":             {ids: []string{ownID}, peer: docker.Attached{Mode: "container:pod"}, address: peer0 + ":7052", names: []string{"pods"}},
		"the first of several":                  {ids: []string{ownID}, peer: docker.Attached{Mode: "x", Endpoints: []docker.Endpoint{backup, fabric}}, address: peer0 + ":7052", names: []string{"backup"}, hosts: []string{peer0 + ":127.0.0.1"}, logged: "network=backup"},
		"the one of several it was created on":  {ids: []string{ownID}, peer: docker.Attached{Mode: "fabric_test", Endpoints: []docker.Endpoint{backup, fabric}}, address: peer0 + ":7052", names: []string{"fabric_test"}, hosts: onFabric, logged: "network=fabric_test"},
		"in a container of another engine":      {ids: []string{otherID}, address: peer0 + ":7052", logged: "the engine does not know the container that the peer runs in"},
		"in a container without a network":      {ids: []string{ownID}, peer: docker.Attached{Mode: "none", Endpoints: []docker.Endpoint{{Network: "none", Names: []string{peer0}}}}, address: peer0 + ":7052", logged: "is not on any network"},
		"in a container, at a loopback address": {ids: []string{ownID}, peer: docker.Attached{Endpoints: []docker.Endpoint{fabric}}, address: "127.0.0.1:7052", names: []string{"fabric_test"}, logged: "peer.chaincodeAddress"},
		"in a network shared by two":            {ids: []string{ownID}, peer: docker.Attached{Mode: "container:twice"}, address: peer0 + ":7052", names: []string{"pods"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			log, output := newLog()
			engine := containersOnly{containers: map[string]docker.Attached{
				ownID:   test.peer,
				"twice": {Mode: "container:pod"},
				"pod":   {Mode: "pods", Endpoints: []docker.Endpoint{{Network: "pods"}}},
			}}
			chosen, err := network.ChooseForPeer(t.Context(), engine, log, network.Peer{
				Address: test.address, Container: host.Container{Inside: test.ids != nil, IDs: test.ids}, EngineLocal: true,
			})
			require.NoError(t, err)
			assert.Equal(t, network.Networks{Names: test.names, Hosts: test.hosts}, chosen)
			if test.logged == "" {
				assert.Empty(t, output.String())
			} else {
				assert.Contains(t, output.String(), test.logged)
				assert.Contains(t, output.String(), "[") // one line
			}
		})
	}
}

func TestAFailedInspectionIsAnError(t *testing.T) {
	log, output := newLog()
	engine := containersOnly{err: errors.New("the disk is full")}
	_, err := network.ChooseForPeer(t.Context(), engine, log, network.Peer{Address: "peer0:7052", Container: host.Container{Inside: true, IDs: []string{ownID}}})
	assert.ErrorContains(t, err, "the disk is full")
	assert.ErrorContains(t, err, "vm.docker.hostConfig.NetworkMode")
	assert.Empty(t, output.String())
}

func TestAnEngineOnAnotherMachine(t *testing.T) {
	for endpoint, local := range map[string]bool{
		"unix:///var/run/docker.sock": true,
		"tcp://127.0.0.1:2375":        true,
		"http://localhost:2375":       true,
		"tcp://[::1]:2375":            true,
		"tcp://192.0.2.1:2375":        false, // reserved by RFC 5737
		"https://192.0.2.1:2376":      false,
		"tcp://":                      false,
	} {
		t.Run(endpoint, func(t *testing.T) {
			log, output := newLog()
			chosen, err := network.ChooseForPeer(t.Context(), containersOnly{}, log, network.Peer{
				Address: "127.0.0.1:7052", Endpoint: endpoint, EngineLocal: host.EngineIsLocal(t.Context(), endpoint),
			})
			require.NoError(t, err)
			if local {
				assert.Equal(t, []string{"host"}, chosen.Names)
				assert.Empty(t, output.String())
				return
			}
			assert.Empty(t, chosen.Names)
			assert.Contains(t, output.String(), "the engine and the peer are on different machines")
		})
	}
}

func TestSetNetworksAreTakenLiterally(t *testing.T) {
	tests := map[string]struct {
		mode    string
		further []string
		want    []string
		err     string
	}{
		"one":                     {mode: "fabric_test", want: []string{"fabric_test"}},
		"one more":                {mode: "fabric_test", further: []string{"metrics"}, want: []string{"fabric_test", "metrics"}},
		"a list":                  {further: []string{"a", "b"}, want: []string{"a", "b"}},
		"the same twice":          {mode: "a", further: []string{"a", "b"}, want: []string{"a", "b"}},
		"with the default bridge": {mode: "bridge", further: []string{"a"}, want: []string{"bridge", "a"}},
		"another container's":     {mode: "container:peer0", want: []string{"container:peer0"}},
		"the host's":              {mode: "host", want: []string{"host"}},
		"none":                    {mode: "none", want: []string{"none"}},
		"the host's and another":  {mode: "host", further: []string{"a"}, err: `"host" cannot be combined`},
		"another's and one more":  {mode: "container:x", further: []string{"a"}, err: `"container:x" cannot be combined`},
		"one more and the host's": {mode: "a", further: []string{"host"}, err: `"host" cannot be combined`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			spec := docker.Spec{ExtraHosts: []string{"a:192.0.2.1"}}
			chosen, err := network.Configured(test.mode, test.further)
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				return
			}
			require.NoError(t, err)
			chosen.ApplyTo(&spec)
			assert.Equal(t, test.want, append([]string{spec.NetworkMode}, spec.Networks...))
			assert.Equal(t, []string{"a:192.0.2.1"}, spec.ExtraHosts)
		})
	}
}
