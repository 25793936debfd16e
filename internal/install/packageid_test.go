// SPDX-License-Identifier: Apache-2.0

package install

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/test/peer"
)

// peerDirs returns directories as a peer makes them for the package with that id.
func peerDirs(t *testing.T, id string) dirs {
	t.Helper()
	scratch := filepath.Join(t.TempDir(), "fabric-"+strings.ReplaceAll(id, ":", "-")+"123456789")
	d := dirs{filepath.Join(scratch, "src"), filepath.Join(scratch, "metadata"), filepath.Join(scratch, "bld"), t.TempDir()}
	for _, dir := range []string{d.source, d.metadata, d.output} {
		require.NoError(t, os.MkdirAll(dir, 0o700))
	}
	write(t, filepath.Join(d.metadata, "metadata.json"), golangPackage)
	write(t, filepath.Join(d.source, "src/go.mod"), "module basic")
	write(t, filepath.Join(d.source, "src/main.go"), "package main")
	return d
}

const overrideByID = `builder: {overrides: [{packageId: "basic_1.0:%", images: {builder: "example.com/own:1"}, pids: 7}]}`

func TestBuildReadsThePackageIDFromThePeersDirectory(t *testing.T) {
	hash, other := strings.Repeat("ab", 32), strings.Repeat("cd", 32)
	read := func(d dirs) (config.Settings, string) {
		write(t, filepath.Join(d.home, "config.yaml"), strings.ReplaceAll(overrideByID, "%", hash))
		_, stderr := d.run(t, noEngine)
		i := install{sourceDir: d.source, metadataDir: d.metadata, outputDir: d.output}
		settings, err := config.Load(d.home, nil)
		require.NoError(t, err)
		return settings.For(i.subject("basic_1.0")), stderr
	}
	const told = "[WARN]  build: the images of builder.overrides with a packageId are not used"
	settings, stderr := read(peerDirs(t, "basic_1.0:"+hash))
	assert.Equal(t, "example.com/own:1", settings.Chaincode.Builder)
	assert.NotContains(t, stderr, told)

	settings, stderr = read(peerDirs(t, "basic_1.0:"+other))
	assert.NotEqual(t, "example.com/own:1", settings.Chaincode.Builder)
	assert.NotContains(t, stderr, told, "the id is known")

	settings, stderr = read(newDirs(t, golangPackage, "src/go.mod"))
	assert.NotEqual(t, "example.com/own:1", settings.Chaincode.Builder)
	assert.Equal(t, 1, strings.Count(stderr, told), stderr)
	assert.Contains(t, stderr, "basic_1.0:"+hash, "the override is named")
}

func TestWarmComputesThePackageID(t *testing.T) {
	data, err := peer.Assemble(map[string]any{"type": "golang", "label": "basic_1.0"}, peer.File("src/go.mod", "module a"), peer.File("src/main.go", "package main"))
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "basic.tgz")
	write(t, path, string(data))
	sum := sha256.Sum256(data)
	for _, test := range []struct{ hash, want string }{
		{hex.EncodeToString(sum[:]), "example.com/own:1"},
		{strings.Repeat("0", 64), "hyperledger/fabric-ccenv:3.1"},
	} {
		home := t.TempDir()
		write(t, filepath.Join(home, "config.yaml"), strings.ReplaceAll(overrideByID, "%", test.hash))
		settings, err := config.Load(home, nil)
		require.NoError(t, err)
		j, err := newJob(path, t.TempDir(), settings, nil)
		require.NoError(t, err)
		assert.Equal(t, test.want, j.plan.Builder.Name)
		require.NoError(t, j.source.Close())
	}
}
