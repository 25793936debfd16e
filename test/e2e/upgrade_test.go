// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/test/ours"
	"fabric-builder-docker/test/peer"
)

// earlier is the commit of the previous version. Its programs are built from the repository's history, so these tests
// fail in a clone without it.
const earlier = "d68104a"

// earlierConfig returns the settings of the tests that the earlier version knows.
func earlierConfig() string { return strings.Replace(config(""), allOutput(""), "", 1) }

var sharedEarlier shared[string]

// earlierBuilder returns a builder with the programs of the earlier version.
func earlierBuilder(t *testing.T, config string) string {
	t.Helper()
	programs := sharedEarlier.get(t, func() string { return buildEarlier(t) })
	dir := builder(t, config)
	for _, program := range []string{"detect", "build", "release", "run"} {
		path := filepath.Join(dir, "bin", program)
		require.NoError(t, os.Remove(path))
		require.NoError(t, os.Link(filepath.Join(programs, program), path))
	}
	return dir
}

// buildEarlier builds the programs of the earlier version and returns their directory.
func buildEarlier(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(world.bin, "earlier")
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	tree := t.TempDir()
	archive := exec.Command("git", "-C", root, "archive", "--output", filepath.Join(tree, "earlier.tar"), earlier)
	output, err := archive.CombinedOutput()
	require.NoError(t, err, "the programs of %s are built from the repository's history, fetch it: %s", earlier, output)
	unpack := exec.Command("tar", "-x", "-f", "earlier.tar")
	unpack.Dir = tree
	output, err = unpack.CombinedOutput()
	require.NoError(t, err, string(output))
	compile := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-tags", "nethttpomithttp2", "-o", dir+"/", "./cmd/...")
	compile.Dir, compile.Env = tree, append(os.Environ(), "CGO_ENABLED=0")
	output, err = compile.CombinedOutput()
	require.NoError(t, err, string(output))
	return dir
}

// A peer keeps the output of build forever, and may get newer programs, or older ones again. Each version launches what
// the other has built, with its image and after the image was removed.
func TestEachVersionLaunchesWhatTheOtherHasBuilt(t *testing.T) {
	t.Parallel()
	old, today := earlierBuilder(t, earlierConfig()), builder(t, config(""))
	for name, programs := range map[string]struct{ build, run string }{"newer programs": {old, today}, "older programs": {today, old}} {
		for _, language := range []string{"golang", "node"} {
			t.Run(name+"/"+language, func(t *testing.T) {
				code := append(entries(t, filepath.Join(world.samples, map[string]string{"golang": "go", "node": "node"}[language])),
					peer.File("META-INF/statedb/couchdb/indexes/a.json", `{"index":{"fields":["a"]}}`))
				pkg := fresh(t, language, "upgraded_1.0", code...)
				dir := t.TempDir()
				first := newPeer(t, withBuilder(programs.build), func(o *peer.Options) { o.Dir = dir })
				id := first.install(t, pkg)
				first.invoke(t, id, "put", "a", "1")
				record := first.record(t, id)
				require.NoError(t, first.StopAll(timeout(t)))
				require.NoError(t, first.Close())

				second := newPeer(t, withBuilder(programs.run), func(o *peer.Options) { o.Dir = dir })
				assert.Equal(t, "1", second.invoke(t, id, "get", "a"))
				assert.NotContains(t, second.said("run"), "building it again")
				require.NoError(t, second.Stop(timeout(t), id))
				require.NoError(t, world.engine.Delete(t.Context(), "/images/"+record.Image+"?force=1"))
				assert.Equal(t, "1", second.invoke(t, id, "get", "a"), "from the source that was kept")
				assert.Contains(t, second.said("run"), "building it again")

				released := t.TempDir()
				release := start(t, programs.run, "release", second.Build(id).Output, released)
				require.Zero(t, release.status(t), release.stderr)
				assert.FileExists(t, filepath.Join(released, "statedb/couchdb/indexes/a.json"))
			})
		}
	}
}

// Two peers on one engine may be upgraded at different times.
func TestTwoVersionsBuildTheSameAtTheSameTime(t *testing.T) {
	code := append(entries(t, filepath.Join(world.samples, "dies")), peer.File("src/salt.txt", rand.Text()))
	var programs []*program
	var packages []unpacked
	for _, dir := range []string{earlierBuilder(t, earlierConfig()), builder(t, config(""))} {
		for range 2 {
			u := unpack(t, "golang", "both_1.0", code...)
			packages = append(packages, u)
			programs = append(programs, start(t, dir, "build", u.source, u.metadata, u.output))
		}
	}
	var images []string
	for i, p := range programs {
		require.Zero(t, p.status(t), p.stderr)
		record, err := metadata.ReadRecord(packages[i].output)
		require.NoError(t, err)
		images = append(images, record.Image)
	}
	assert.Equal(t, images[0], images[1])
	assert.Equal(t, images[2], images[3])
	assert.NotEqual(t, images[0], images[2], "no version takes the other's image for its own")
	noContainers(t, metadata.LabelKind, metadata.KindBuild)
	noContainers(t, metadata.LabelKind, metadata.KindAssembly)
}

// The output was built by an earlier version, on an engine that no longer exists.
func TestAKeptOutputIsLaunched(t *testing.T) {
	t.Parallel()
	outputs, err := filepath.Glob("../../testdata/outputs/*/build-record.json")
	require.NoError(t, err)
	require.NotEmpty(t, outputs)
	for _, path := range outputs {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			output, metadataDir := filepath.Join(t.TempDir(), "bld"), t.TempDir()
			require.NoError(t, os.CopyFS(output, os.DirFS(filepath.Dir(path)))) // run notes in it which image it has built
			chaincode := fmt.Sprintf(`{"chaincode_id":"dies_1.0:%064d","peer_address":"127.0.0.1:7052","client_cert":"","client_key":"","root_cert":"","mspid":%q}`, 1, ours.MSPID)
			require.NoError(t, os.WriteFile(filepath.Join(metadataDir, "chaincode.json"), []byte(chaincode), 0o600))
			p := start(t, builder(t, config("")), "run", output, metadataDir)
			assert.Equal(t, 3, p.status(t), p.stderr)
			assert.Contains(t, p.stderr.String(), "the image is gone from the engine: building it again")
			assert.Equal(t, 1, strings.Count(p.stderr.String(), "| dies: last words\n"), p.stderr)
		})
	}
}
