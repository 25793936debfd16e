// SPDX-License-Identifier: Apache-2.0

package install

import (
	"archive/tar"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
	"fabric-builder-docker/test/fakeengine"
)

// run rebuilds an image for the release that build has recorded.
func TestABuildSaysAndRecordsTheReleaseOfFabric(t *testing.T) {
	engine := fakeengine.New(t)
	for _, name := range []string{"example/fabric-ccenv:2.4", "example/fabric-baseos:2.4"} {
		engine.AddImage(fakeengine.Image{Name: name, Layers: []string{"sha256:" + name}, User: "7:8"})
	}
	engine.SetProgram(func(p *fakeengine.Process) int {
		p.Files.Add(platform.OutputDir+"/chaincode", tar.Header{Typeflag: tar.TypeReg, Mode: 0o755}, "binary")
		return 0
	})
	d := newDirs(t, `{"type":"golang","label":"basic_1.0"}`, "src/go.mod", "src/main.go")
	status, stderr := d.run(t, "CORE_VM_ENDPOINT="+engine.Host(), "CORE_BUILDER_FABRICVERSION=2.4.9", "CORE_BUILDER_DOCKERNAMESPACE=example")
	require.Zero(t, status, stderr)
	first, _, _ := strings.Cut(stderr, "\n")
	assert.Equal(t, "[INFO]  build: building for Fabric: label=basic_1.0 version=2.4.9 docker_namespace=example from=CORE_BUILDER_FABRICVERSION", first)
	record, err := metadata.ReadRecord(d.output)
	require.NoError(t, err)
	assert.Equal(t, "2.4.9", record.FabricVersion)
	assert.Equal(t, "example", record.DockerNamespace)

	// Without base images of a release there is nothing to say.
	require.NoError(t, os.RemoveAll(d.output))
	d = serviceDirs(t, `{"address":"cc.example.com:9999"}`)
	status, stderr = d.run(t)
	require.Zero(t, status, stderr)
	assert.NotContains(t, stderr, "Fabric")
}
