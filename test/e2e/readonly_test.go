package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/test/engine"
)

// Engines put no file into a read-only root file system, not even before the start: the TLS files go to a volume, which
// goes with the container.
func TestAReadOnlyRootFileSystem(t *testing.T) {
	readOnly := strings.Replace(config(""), "chaincode:\n", "  docker: {hostConfig: {ReadonlyRootfs: true}}\nchaincode:\n", 1)
	for language, directory := range map[string]string{"golang": "go", "node": "node"} {
		for _, tls := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/tls=%v", language, tls), func(t *testing.T) {
				p := newPeer(t, withTLS(tls), withBuilder(builder(t, readOnly)))
				id := p.install(t, sample(t, directory, language, language+"_1.0"))
				p.invoke(t, id, "put", "colour", "blue")
				assert.Equal(t, "blue", p.invoke(t, id, "get", "colour"))

				token := p.record(t, id).InstallToken
				found := connectionsOf(t, awaitContainer(t, metadata.LabelInstallToken, token, "running").ID)
				assert.True(t, found.HostConfig.ReadonlyRootfs)
				var volumes []string
				for _, mount := range found.Mounts {
					if mount.Type == "volume" {
						assert.Equal(t, "/etc/hyperledger/fabric", mount.Destination)
						volumes = append(volumes, mount.Name)
					}
				}
				assert.Equal(t, tls, len(volumes) == 1, "volumes: %v", volumes)

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
