// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/test/fakeengine"
)

// fabric-samples#566, fabric#417: one line names the missing network and lists those that exist.
func TestAMissingNetworkIsExplained(t *testing.T) {
	for flavour, options := range flavours {
		t.Run(flavour, func(t *testing.T) {
			r := newRunner(t, options...)
			r.engine.AddNetwork("fabric_test")
			process := r.process(t)
			process.Environ = append(process.Environ, "CORE_VM_DOCKER_HOSTCONFIG_NETWORKMODE=net_test")
			err := Run(t.Context(), process)
			require.ErrorContains(t, err, `the engine has no network "net_test", only "bridge", "fabric_test", "host", "none": see vm.docker.hostConfig.NetworkMode`)
			assert.NotContains(t, err.Error(), "\n")
			assert.NotContains(t, r.output.String(), "creating it again")
			r.assertNothingLeft(t)
		})
	}
}

// The engine creates the container on the first network, and connects it to the others before it starts.
func TestAChaincodeJoinsAllItsNetworks(t *testing.T) {
	for flavour, options := range flavours {
		t.Run(flavour, func(t *testing.T) {
			r := newRunner(t, options...)
			r.engine.AddNetwork("fabric_test")
			r.engine.AddNetwork("metrics")
			var first string
			var others []string
			r.engine.SetProgram(func(p *fakeengine.Process) int {
				first, others = p.Container.Network, p.Container.Networks
				return 0
			})
			process := r.process(t)
			process.Environ = append(process.Environ, "CORE_BUILDER_NETWORKS=fabric_test metrics")
			require.NoError(t, Run(t.Context(), process))
			assert.Equal(t, "fabric_test", first)
			assert.Equal(t, []string{"metrics"}, others)
			r.assertNothingLeft(t)
		})
	}
}

// Podman rejects the connection, Docker the start.
func TestAMissingFurtherNetworkIsExplained(t *testing.T) {
	for flavour, options := range flavours {
		t.Run(flavour, func(t *testing.T) {
			r := newRunner(t, options...)
			process := r.process(t)
			process.Environ = append(process.Environ, "CORE_BUILDER_NETWORKS=bridge net_test")
			assert.ErrorContains(t, Run(t.Context(), process), `the engine has no network "net_test", only "bridge", "host", "none": see vm.docker.hostConfig.NetworkMode`)
			r.assertNothingLeft(t)
		})
	}
}

// An error with another cause is not changed.
func TestAnExistingNetworkIsNotBlamed(t *testing.T) {
	for flavour, options := range flavours {
		for _, mode := range []string{"host", "fabric_test", "id-fabric"} {
			t.Run(flavour+" "+mode, func(t *testing.T) {
				t.Parallel()
				r := newRunner(t, options...)
				r.engine.AddNetwork("fabric_test")
				r.engine.On(fakeengine.Create, fakeengine.Fail(http.StatusInternalServerError, "no space left on device"))
				process := r.process(t)
				process.Environ = append(process.Environ, "CORE_VM_DOCKER_HOSTCONFIG_NETWORKMODE="+mode)
				err := Run(t.Context(), process)
				assert.ErrorContains(t, err, "no space left on device")
				assert.NotContains(t, err.Error(), "there is no")
				assert.Empty(t, r.engine.Calls(fakeengine.NetworkInspect), "podman has no network called host")
			})
		}
	}
}
