// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/tlsfiles"
	"fabric-builder-docker/test/engine"
	"fabric-builder-docker/test/registry"
)

// Engines do not add files to a read-only root file system, not even before the start. If the image has a shell, the TLS
// files are in memory. Otherwise they are in a volume, which is removed with the container.
func TestAReadOnlyRootFileSystem(t *testing.T) {
	t.Parallel()
	readOnly := strings.Replace(config(""), "chaincode:\n", "  docker: {hostConfig: {ReadonlyRootfs: true}}\nchaincode:\n", 1)
	r := registry.Start(t)
	digest := r.Push(t, "chaincodes/kv:1.0", registry.Image(t, prebuilt(t, "1234:5678")))
	forget(t, r.Ref("chaincodes/kv@"+digest))
	for name, test := range map[string]struct {
		pkg   []byte
		shell bool
	}{
		"golang":                   {sample(t, "go", "golang", "golang_1.0"), true},
		"node":                     {sample(t, "node", "node", "node_1.0"), true},
		"an image without a shell": {imagePackage(t, "k8s", r.Ref("chaincodes/kv"), digest), false},
	} {
		for _, tls := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/tls=%v", name, tls), func(t *testing.T) {
				p := newPeer(t, withTLS(tls), withBuilder(builder(t, readOnly)))
				id := p.install(t, test.pkg)
				p.invoke(t, id, "put", "colour", "blue")
				assert.Equal(t, "blue", p.invoke(t, id, "get", "colour"))

				token := p.record(t, id).InstallToken
				found := connectionsOf(t, awaitContainer(t, metadata.LabelInstallToken, token, "running").ID)
				assert.True(t, found.HostConfig.ReadonlyRootfs)
				var volumes []string
				for _, mount := range found.Mounts {
					if mount.Type == "volume" {
						assert.Equal(t, tlsfiles.Dir, mount.Destination)
						volumes = append(volumes, mount.Name)
					}
				}
				assert.Equal(t, tls && !test.shell, len(volumes) == 1, "volumes: %v", volumes)

				require.NoError(t, p.Stop(timeout(t), id))
				p.ended(t, id)
				noContainers(t, metadata.LabelInstallToken, token)
				for _, volume := range volumes {
					err := world.engine.Get(timeout(t), "/volumes/"+volume, &struct{}{})
					assert.True(t, engine.NotFound(err), "volume %s is left: %v", volume, err)
				}
			})
		}
	}
}
