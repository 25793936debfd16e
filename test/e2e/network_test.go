// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"crypto/rand"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/test/peer"
)

// networked returns config.yaml with a network mode and more lines of the builder section.
func networked(mode, extra string) string {
	return strings.Replace(config(extra), "chaincode:\n", fmt.Sprintf("  docker: {hostConfig: {NetworkMode: %q}}\nchaincode:\n", mode), 1)
}

// A list of networks, with aliases, works on engines of any age. Some accept only one network at a create, and need
// further calls for the others.
func TestAChaincodeOnSeveralNetworks(t *testing.T) {
	t.Parallel()
	unique := strings.ToLower(rand.Text()[:10])
	one, two := createNetwork(t, "one-"+unique), createNetwork(t, "two-"+unique)
	tests := map[string]struct {
		mode, extra string
		networks    []string
		aliased     bool
	}{
		"one":                   {one, "", []string{one}, false},
		"a list":                {"", fmt.Sprintf("  networks: [%s, %s]\n  aliases: [hangs]\n", one, two), []string{one, two}, true},
		"one more":              {one, fmt.Sprintf("  networks: [%s]\n  aliases: [hangs]\n", two), []string{one, two}, true},
		"with the engine's own": {"bridge", fmt.Sprintf("  networks: [%s]\n  aliases: [hangs]\n", two), []string{"bridge", two}, true},
		"the engine's own":      {"bridge", "  aliases: [hangs]\n", []string{"bridge"}, false},
		"none":                  {"none", "", nil, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, withBuilder(builder(t, networked(test.mode, test.extra))))
			id := p.install(t, sample(t, "hangs", "golang", "hangs_1.0"))
			run := runByHand(t, p, id)
			require.Eventually(t, func() bool {
				return strings.Contains(run.stderr.String(), "waiting for ever") || strings.Contains(run.stderr.String(), "[ERROR]")
			}, limit, 20*time.Millisecond)
			require.NotContains(t, run.stderr.String(), "[ERROR]")
			found := connectionsOf(t, awaitContainer(t, metadata.LabelInstallToken, p.record(t, id).InstallToken, "running").ID)
			assert.Equal(t, test.networks, found.networks())
			for name, endpoint := range found.NetworkSettings.Networks {
				if test.aliased && name != "bridge" && name != "podman" {
					assert.Contains(t, endpoint.Aliases, "hangs", name)
				} else {
					assert.NotContains(t, endpoint.Aliases, "hangs", name)
				}
			}
			require.NoError(t, run.Process.Signal(syscall.SIGTERM))
			run.status(t)
			noContainers(t, metadata.LabelInstallToken, p.record(t, id).InstallToken)
		})
	}
}

// On the host's network, chaincodes reach what listens on its loopback. docs/networks.md says how to keep them away.
func TestAPeerOnTheHostWithChaincodesOnANetwork(t *testing.T) {
	t.Parallel()
	const host = "peer0.org1.example.com"
	network := createNetwork(t, "apart-"+strings.ToLower(rand.Text()[:10]))
	var found struct {
		IPAM struct{ Config []struct{ Gateway string } }
	}
	require.NoError(t, world.engine.Get(timeout(t), "/networks/"+network, &found))
	require.NotEmpty(t, found.IPAM.Config)
	settings := strings.Replace(config(""), "chaincode:\n", fmt.Sprintf("  docker: {hostConfig: {NetworkMode: %s, ExtraHosts: [%q]}}\nchaincode:\n",
		network, host+":"+found.IPAM.Config[0].Gateway), 1)
	p := newPeer(t, withBuilder(builder(t, settings)), func(o *peer.Options) { o.Listen, o.Host = "0.0.0.0:0", host })
	id := p.install(t, sample(t, "go", "golang", "kv_1.0"))
	p.invoke(t, id, "put", "colour", "blue")
	assert.Equal(t, "blue", p.invoke(t, id, "get", "colour"))
	container := awaitContainer(t, metadata.LabelInstallToken, p.record(t, id).InstallToken, "running")
	assert.Equal(t, []string{network}, connectionsOf(t, container.ID).networks())
	assert.Contains(t, container.Names[0], "/dev-"+host+"-kv_1.0-")
	require.NoError(t, p.Stop(timeout(t), id)) // before the network is removed
	p.ended(t, id)
}

// fabric-samples#566, fabric#417.
func TestANetworkThatIsNotThereIsNamedWithThoseThatAre(t *testing.T) {
	t.Parallel()
	there := createNetwork(t, "there-"+strings.ToLower(rand.Text()[:10]))
	tests := map[string]string{
		"the only one":  networked("fabric_test-"+there, ""),
		"another one":   networked(there, fmt.Sprintf("  networks: [fabric_test-%s]\n", there)),
		"one of a list": networked("", fmt.Sprintf("  networks: [%s, fabric_test-%s]\n", there, there)),
	}
	for name, config := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, withBuilder(builder(t, config)))
			id := p.install(t, sample(t, "hangs", "golang", "hangs_1.0"))
			_, err := p.Launch(timeout(t), id)
			require.ErrorContains(t, err, "exit status 1")
			last := lastLine(p.said("run"))
			assert.Contains(t, last, fmt.Sprintf(`the engine has no network "fabric_test-%s", only `, there))
			for _, known := range []string{there, "bridge"} {
				assert.Contains(t, last, fmt.Sprintf("%q", known))
			}
			assert.Equal(t, 1, strings.Count(p.said("run"), "has no network"))
			noContainers(t, metadata.LabelInstallToken, p.record(t, id).InstallToken)
		})
	}
}
