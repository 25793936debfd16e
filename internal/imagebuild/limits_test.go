// SPDX-License-Identifier: Apache-2.0

package imagebuild_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/host"
	"fabric-builder-docker/internal/imagebuild"
	"fabric-builder-docker/internal/platform"
	"fabric-builder-docker/test/fakeengine"
)

// hostOf is the host configuration of the build container, as far as limits and networks go.
func hostOf(t *testing.T, limits imagebuild.Limits) map[string]any {
	t.Helper()
	engine := newEngine(t)
	b := newBuilder(t, engine)
	b.Limits = limits
	_, err := b.build(t.Context(), t)
	require.NoError(t, err)
	var body struct{ HostConfig map[string]any }
	require.NoError(t, json.Unmarshal(engine.Calls(fakeengine.Create)[0].Body, &body))
	found := map[string]any{}
	for _, field := range []string{"Memory", "MemorySwap", "NanoCpus", "PidsLimit", "NetworkMode", "Init", "CapDrop"} {
		if value := body.HostConfig[field]; value != nil && value != 0.0 && value != "" {
			found[field] = value
		}
	}
	return found
}

func TestLimitsOfABuild(t *testing.T) {
	assert.Equal(t, map[string]any{"Init": true, "CapDrop": []any{"ALL"}}, hostOf(t, imagebuild.Limits{}), "nothing that was not asked for")
	assert.Equal(t, map[string]any{
		"Memory": float64(1 << 30), "MemorySwap": float64(1 << 30), "NanoCpus": 1.5e9, "PidsLimit": 512.0, "NetworkMode": "none",
		"CapDrop": []any{"ALL"},
	}, hostOf(t, imagebuild.Limits{Memory: 1 << 30, CPUs: 1.5, Pids: 512, Network: "none", NoInit: true}))
}

func TestTheDefaultLimitsOfABuild(t *testing.T) {
	settings := config.Defaults()
	assert.Equal(t, 4096.0, hostOf(t, imagebuild.LimitsOf(settings))["PidsLimit"])
	settings.Builder.Build.Pids = 0
	host := hostOf(t, imagebuild.LimitsOf(settings))
	assert.NotContains(t, host, "PidsLimit", "the engine's default")
	assert.NotContains(t, host, "Memory", "no limit")
}

// Followers read the engine's log of a build, so it needs a driver that can be read. A build that prints without end must
// not fill the engine's disk.
func TestTheLogOfABuildIsLimited(t *testing.T) {
	engine := newEngine(t)
	_, err := newBuilder(t, engine).build(t.Context(), t)
	require.NoError(t, err)
	var body struct{ HostConfig struct{ LogConfig any } }
	require.NoError(t, json.Unmarshal(engine.Calls(fakeengine.Create)[0].Body, &body))
	assert.Equal(t, map[string]any{
		"Type": "json-file", "Config": map[string]any{"max-size": "20m", "max-file": "5"},
	}, body.HostConfig.LogConfig)
}

// networkOfBuild is the network of the build container, and what the builder has asked for on the way to it.
func networkOfBuild(t *testing.T, b *builder, engine *fakeengine.Engine, plan platform.Plan) (string, []string) {
	t.Helper()
	var network string
	engine.SetProgram(func(p *fakeengine.Process) int {
		network = p.Container.Network
		return compile(p)
	})
	_, err := b.Build(t.Context(), plan, newPackage(t), "basic_1.0")
	require.NoError(t, err)
	var asked []string
	for _, call := range engine.Calls(fakeengine.Create) {
		var body struct{ HostConfig struct{ NetworkMode string } }
		require.NoError(t, json.Unmarshal(call.Body, &body))
		if strings.Contains(call.Target, buildPart) {
			asked = append(asked, body.HostConfig.NetworkMode)
		}
	}
	return network, asked
}

// A build that runs nobody's code may be where its chaincode will be; all others are kept to a network of their own.
func TestABuildGetsNoNetworkThatItsChaincodeWillNotHave(t *testing.T) {
	runsNoCode := plan
	runsNoCode.RunsNoCode = true
	yes, no := func(context.Context) bool { return true }, func(context.Context) bool { return false }
	tests := map[string]struct {
		plan   platform.Plan
		limits imagebuild.Limits
		want   string
	}{
		"chaincodes on the host's network":         {runsNoCode, imagebuild.Limits{HostNetwork: yes}, "host"},
		"chaincodes elsewhere":                     {runsNoCode, imagebuild.Limits{HostNetwork: no}, ""},
		"a build that runs code":                   {plan, imagebuild.Limits{HostNetwork: yes}, ""},
		"a network that is set":                    {runsNoCode, imagebuild.Limits{Network: "none"}, "none"},
		"nobody knows where the chaincodes may be": {runsNoCode, imagebuild.Limits{}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			engine := newEngine(t)
			b := newBuilder(t, engine)
			b.Limits = test.limits
			network, asked := networkOfBuild(t, b, engine, test.plan)
			assert.Equal(t, test.want, network)
			assert.Equal(t, []string{test.want}, asked)
		})
	}
}

// Engines with user namespaces of their own refuse the host's network.
func TestAnEngineThatRefusesTheHostsNetwork(t *testing.T) {
	for _, status := range []int{http.StatusBadRequest, http.StatusInternalServerError} {
		engine := newEngine(t)
		engine.On(fakeengine.Create, func(c *fakeengine.Call) {
			if strings.Contains(string(c.Body), `"NetworkMode":"host"`) {
				fakeengine.Fail(status, "cannot share the host's network namespace when user namespaces are enabled")(c)
				return
			}
			c.Pass()
		})
		b := newBuilder(t, engine)
		b.Limits = imagebuild.Limits{HostNetwork: func(context.Context) bool { return true }}
		runsNoCode := plan
		runsNoCode.RunsNoCode = true
		network, _ := networkOfBuild(t, b, engine, runsNoCode)
		assert.Empty(t, network)
		assertNothingLeft(t, engine)
	}
}

func TestWhenBuildsMayUseTheHostsNetwork(t *testing.T) {
	allowed := func(change func(*config.Settings)) bool {
		settings := config.Defaults()
		settings.VM.Endpoint = "unix:///x"
		change(&settings)
		limits := imagebuild.LimitsOf(settings)
		return limits.HostNetwork != nil && limits.HostNetwork(t.Context())
	}
	mode := func(mode string) func(*config.Settings) {
		return func(s *config.Settings) { s.VM.Docker.HostConfig.NetworkMode = mode }
	}
	assert.True(t, allowed(mode("host")))
	assert.False(t, allowed(mode("fabric_test")))
	assert.False(t, allowed(func(s *config.Settings) { s.Builder.Networks = []string{"fabric_test"} }))
	assert.False(t, allowed(func(s *config.Settings) { s.Builder.Build.Network = "bridge"; mode("host")(s) }), "what is set is taken literally")
	assert.False(t, allowed(func(s *config.Settings) { s.VM.Endpoint = "tcp://192.0.2.1:2375" }), "the engine is on another machine")
	here, err := host.ReadContainer(host.Mountinfo)
	require.NoError(t, err)
	assert.Equal(t, len(here.IDs) == 0, allowed(func(*config.Settings) {}), "a peer on the engine's host")
}

// Limits change how a build runs, not what comes out of it: all peers of a host share it, whatever theirs are.
func TestLimitsDoNotChangeTheNameOfTheImage(t *testing.T) {
	engine := newEngine(t)
	first, err := newBuilder(t, engine).build(t.Context(), t)
	require.NoError(t, err)
	limited := newBuilder(t, engine)
	limited.Limits = imagebuild.Limits{Memory: 1 << 30}
	second, err := limited.build(t.Context(), t)
	require.NoError(t, err)
	assert.Equal(t, first, second)
}
