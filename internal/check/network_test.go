// SPDX-License-Identifier: Apache-2.0

package check

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/host"
	"fabric-builder-docker/test/fakeengine"
)

func TestTheNetworkIsNotThere(t *testing.T) {
	engine := fakeengine.New(t)
	i := newInstallation(t, engine)
	i.set("vm", "docker", map[string]any{"hostConfig": map[string]any{"NetworkMode": "fabric_test"}})
	i.probing = true
	lines := i.finds("network", "the engine has no network fabric_test", "only bridge, fabric, host, none", "set vm.docker.hostConfig.NetworkMode")
	assert.Contains(t, lines, "note  probe: not made")
}

// An engine that does not say which networks it has must not look as if all were there.
func TestTheEngineDoesNotListItsNetworks(t *testing.T) {
	for key, value := range map[string]any{"networks": []string{"fabric"}, "build": map[string]any{"network": "fabric"}} {
		engine := fakeengine.New(t)
		engine.On(fakeengine.NetworkList, fakeengine.Fail(http.StatusInternalServerError, "boom"))
		i := newInstallation(t, engine)
		i.set("builder", key, value)
		lines, healthy := i.check()
		assert.False(t, healthy, lines)
		assert.Contains(t, lines, "FAIL  network: listing networks: ")
		assert.Contains(t, lines, "boom: look at the engine's own log")
	}
}

func TestThePeersAddressIsALoopbackAddress(t *testing.T) {
	for _, address := range []string{"127.0.0.1:7052", "localhost:7052", "[::1]:7052"} {
		i := newInstallation(t, fakeengine.New(t))
		i.args = []string{address}
		i.finds("network", "a chaincode on network fabric would connect to the peer at "+address+" (from the argument), which is its own container", "set peer.chaincodeAddress")
	}
	i := newInstallation(t, fakeengine.New(t))
	i.args = []string{"127.0.0.1:7052"}
	i.set("vm", "docker", map[string]any{"hostConfig": map[string]any{"NetworkMode": "host"}})
	lines, healthy := i.check()
	assert.True(t, healthy, lines)
}

func TestTheHostsNetworkIsNotThePeersMachine(t *testing.T) {
	check := func(options ...fakeengine.Option) *installation {
		engine := fakeengine.New(t, options...)
		engine.On(fakeengine.Info, fakeengine.Answer(http.StatusOK, `{"SecurityOptions": ["name=seccomp,profile=default", "name=rootless"]}`))
		i := newInstallation(t, engine)
		i.args = []string{"127.0.0.1:7052"}
		i.set("vm", "docker", map[string]any{"hostConfig": map[string]any{"NetworkMode": "host"}})
		return i
	}
	check().finds("network", "a chaincode on network host would connect to the peer at 127.0.0.1:7052", "since the engine is rootless",
		"an address of this machine that is not loopback")
	i := check()
	i.peer = host.Container{IDs: []string{"4e07408562be"}}
	lines, _ := i.check()
	assert.Contains(t, lines, "ok    network: a chaincode gets network host", "the peer's container shares that network")
	lines, _ = check(fakeengine.Podman()).check()
	assert.Contains(t, lines, "ok    network: a chaincode gets network host")
}

func TestThePeersAddressComesFromItsSettings(t *testing.T) {
	engine := fakeengine.New(t)
	i := newInstallation(t, engine)
	i.args, i.probing = nil, true
	i.finds("probe", "the peer's address is not known here", "--probe HOST:PORT")
	i.environ = append(i.environ, "CORE_PEER_CHAINCODEADDRESS="+peerAddress)
	lines, healthy := i.check()
	assert.True(t, healthy, lines)
	assert.Contains(t, lines, "it connects to the peer at "+peerAddress+" (from CORE_PEER_CHAINCODEADDRESS)")
	assert.Equal(t, []string{dialOption, peerAddress}, probeOf(t, engine))
}

// probeOf returns the command of the probe's container.
func probeOf(t *testing.T, engine *fakeengine.Engine) []string {
	t.Helper()
	calls := engine.Calls(fakeengine.Create)
	require.NotEmpty(t, calls)
	var asked struct{ Entrypoint, Cmd []string }
	require.NoError(t, json.Unmarshal(calls[len(calls)-1].Body, &asked))
	assert.Equal(t, []string{probePath}, asked.Entrypoint)
	return asked.Cmd
}

func TestThePeersNameDoesNotResolve(t *testing.T) {
	engine := fakeengine.New(t)
	i := newInstallation(t, engine)
	i.probing, i.container = true, dialled{Lookup: "lookup peer0.example.com: no such host"}
	i.finds("probe", "in a container of baseos:1 on network fabric, peer0.example.com does not resolve: ", "set peer.chaincodeAddress to a name of the peer in that network")
	assert.Empty(t, engine.Containers())
}

func TestThePeersPortIsClosed(t *testing.T) {
	engine := fakeengine.New(t)
	i := newInstallation(t, engine)
	i.probing, i.container = true, dialled{Addresses: []string{"172.18.0.2"}, Dial: "connection refused", Refused: true}
	i.finds("probe", "nobody listens at port 7052 of peer0.example.com (172.18.0.2)", "start the peer")
	i.container = dialled{Addresses: []string{"172.18.0.2"}, Dial: "i/o timeout"}
	i.finds("probe", "peer0.example.com:7052 (172.18.0.2) is not reached: i/o timeout", "look for a firewall")
	assert.Empty(t, engine.Containers())
}

// The probe's container must go whatever happens.
func TestTheProbesContainerIsAlwaysRemoved(t *testing.T) {
	faults := map[string]func(engine *fakeengine.Engine){
		"upload": func(e *fakeengine.Engine) {
			e.On(fakeengine.Upload, fakeengine.Of("assembly", fakeengine.Fail(http.StatusInternalServerError, "no space left on device")))
		},
		"attach": func(e *fakeengine.Engine) {
			e.On(fakeengine.Attach, fakeengine.Of("assembly", fakeengine.Fail(http.StatusInternalServerError, "broken")))
		},
		"start": func(e *fakeengine.Engine) {
			e.On(fakeengine.Start, fakeengine.Of("assembly", fakeengine.Fail(http.StatusInternalServerError, "broken")))
		},
		"no program": func(e *fakeengine.Engine) { e.SetProgram(func(*fakeengine.Process) int { return 127 }) },
		"removal":    func(e *fakeengine.Engine) { e.On(fakeengine.Remove, fakeengine.Nth(2, fakeengine.Drop())) },
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			engine := fakeengine.New(t)
			i := newInstallation(t, engine)
			i.probing = true
			fault(engine)
			lines, healthy := i.check()
			assert.Equal(t, name == "removal", healthy, lines)
			assert.Empty(t, engine.Containers(), lines)
		})
	}
	t.Run("stopped", func(t *testing.T) {
		engine := fakeengine.New(t)
		i := newInstallation(t, engine)
		i.probing = true
		_, _ = i.check()
		ctx, cancel := context.WithCancel(t.Context())
		engine.SetProgram(func(p *fakeengine.Process) int {
			cancel()
			return p.Serve(0)
		})
		_, _ = i.checkAsIs(ctx)
		assert.Empty(t, engine.Containers())
	})
}

func TestDialAnswersInJSON(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	reach := func(address string) (answer dialled) {
		var out, errs bytes.Buffer
		status := cli.Program{Name: "build", Commands: Commands(config.Load, true)}.Run([]string{dialOption, address}, nil, &out, &errs, nil)
		require.Equal(t, 0, status, errs.String())
		require.NoError(t, json.Unmarshal(out.Bytes(), &answer))
		assert.NotZero(t, answer.Space.Total)
		return answer
	}
	answer := reach(address)
	assert.Equal(t, []string{"127.0.0.1"}, answer.Addresses)
	assert.Empty(t, answer.Lookup+answer.Dial)
	require.NoError(t, listener.Close())
	assert.True(t, reach(address).Refused)
	assert.NotEmpty(t, reach("no.such.name.invalid:1").Lookup)
}

func TestCheckAsACommand(t *testing.T) {
	engine := fakeengine.New(t)
	newInstallation(t, engine)
	program := cli.Program{Name: "run", Commands: Commands(config.Load, false)}
	assert.Contains(t, program.Help(), "--check [--json] [--probe] [ADDRESS] [OUTPUT_DIR ...]")
	assert.NotContains(t, program.Help(), dialOption)
	var out, errs bytes.Buffer
	status := program.Run([]string{"--check", "--json"}, []string{"DOCKER_HOST=" + engine.Host(), "CORE_VM_DOCKER_HOSTCONFIG_NETWORKMODE=fabric"}, &out, &errs, nil)
	assert.Equal(t, 1, status, "a test binary has no programs beside it")
	var answer struct {
		OK      bool
		Results []struct{ Status, Check, Message, Remedy string }
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &answer), out.String())
	assert.False(t, answer.OK)
	for _, found := range answer.Results {
		assert.Contains(t, []string{"ok", "FAIL", "note"}, found.Status)
		assert.Equal(t, found.Status == "FAIL", found.Check == "programs", found)
	}
	out.Reset()
	status = program.Run([]string{"--check", "a:1", "b:1"}, nil, &out, &errs, nil)
	assert.Equal(t, 1, status)
	assert.Contains(t, errs.String(), `unexpected argument "b:1": --check takes one ADDRESS`)
}
