package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/test/fakeengine"
)

// Engines refuse an archive for a read-only root file system, so the files go to a volume. What that does on a real
// engine test/e2e shows.
func TestAReadOnlyRootFileSystemGetsItsTLSFilesInAVolume(t *testing.T) {
	for name, test := range map[string]struct {
		tls      bool
		readOnly string
		volumes  map[string]struct{}
		uploads  []string
	}{
		"read-only with TLS":    {true, "true", map[string]struct{}{"/etc/hyperledger/fabric": {}}, []string{"/etc/hyperledger/fabric"}},
		"read-only without TLS": {false, "true", nil, nil},
		"writable with TLS":     {true, "false", nil, []string{"/"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRunner(t)
			if test.tls {
				r.withTLS()
			}
			process := r.process(t)
			process.Environ = append(process.Environ, "CORE_VM_DOCKER_HOSTCONFIG_READONLYROOTFS="+test.readOnly)
			require.NoError(t, run(t.Context(), process))

			var asked struct {
				Volumes    map[string]struct{}
				HostConfig struct {
					ReadonlyRootfs bool
					Tmpfs          map[string]string
				}
			}
			require.NoError(t, json.Unmarshal(r.engine.Calls(fakeengine.Create)[0].Body, &asked))
			assert.Equal(t, test.volumes, asked.Volumes)
			assert.Equal(t, test.readOnly == "true", asked.HostConfig.ReadonlyRootfs)
			assert.Equal(t, test.readOnly == "true", asked.HostConfig.Tmpfs["/tmp"] != "")
			var uploads []string
			for _, call := range r.engine.Calls(fakeengine.Upload) {
				uploads = append(uploads, call.Query.Get("path"))
			}
			assert.Equal(t, test.uploads, uploads)
			for _, call := range r.engine.Calls(fakeengine.Remove) {
				assert.Equal(t, "1", call.Query.Get("v"), "with its volumes")
			}
		})
	}
}
