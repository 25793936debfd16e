// SPDX-License-Identifier: Apache-2.0

package install

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/test/fakeengine"
)

// callCommand calls a command of build with an engine.
func callCommand(t *testing.T, engine *fakeengine.Engine, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = cli.Program{Name: "build", Commands: Commands()}.Run(args, []string{"DOCKER_HOST=" + engine.Host()}, &out, &errs, nil)
	return status, out.String(), errs.String()
}

func engineWithAnImage(t *testing.T) (engine *fakeengine.Engine, image string) {
	t.Helper()
	engine = fakeengine.New(t)
	image = metadata.ImageName("fabric-chaincode", "golang", strings.Repeat("1", 64))
	engine.AddImage(fakeengine.Image{Name: image, Created: time.Now().Add(-time.Hour), Size: 20e6, Labels: map[string]string{metadata.LabelKind: metadata.KindChaincode}})
	return engine, image
}

func TestPruneRemovesNothingWithoutYes(t *testing.T) {
	engine, image := engineWithAnImage(t)
	builds := t.TempDir()
	status, stdout, stderr := callCommand(t, engine, "--prune", builds)
	assert.Equal(t, 0, status)
	assert.Regexp(t, `(?m)^image +chaincode +20 MB +60m +`+image+` +no given peer has it installed$`, stdout)
	assert.Contains(t, stdout, "Note: a peer that has no container here cannot be noticed")
	assert.Contains(t, stdout, "Note: BuildKit's cache, of all builds of this engine, holds 5 MB; docker builder prune empties it")
	assert.Equal(t, "[INFO]  build: nothing was removed: --yes removes what is listed\n", stderr)
	assert.Empty(t, engine.Calls(fakeengine.Untag, fakeengine.Tag, fakeengine.Remove))

	status, _, stderr = callCommand(t, engine, "--prune", builds, "--yes", "--older-than", "2h")
	assert.Equal(t, 0, status)
	assert.Contains(t, stderr, "removed: objects=0 in_use=0 failed=0")
	status, _, stderr = callCommand(t, engine, "--prune", builds, "--yes", "--keep-size", "20MB")
	assert.Equal(t, 0, status)
	assert.Contains(t, stderr, "removed: objects=0 in_use=0 failed=0")
	status, stdout, stderr = callCommand(t, engine, "--prune", builds, "--yes", "--json")
	assert.Equal(t, 0, status)
	assert.Contains(t, stderr, "removed: objects=1 in_use=0 failed=0")
	var answer pruned
	require.NoError(t, json.Unmarshal([]byte(stdout), &answer))
	assert.Equal(t, "no given peer has it installed", answer.Items[0].Remove)
	assert.Empty(t, engine.Images())
}

func TestPruneRefusesWrongArguments(t *testing.T) {
	engine, image := engineWithAnImage(t)
	for wrong, args := range map[string][]string{
		`option --older-than: invalid age "30"`:  {"--older-than", "30"},
		`option --keep-size: invalid size "lot"`: {"--keep-size=lot"},
		"reading the builds of a peer: open ":    {"/not/there"},
	} {
		status, _, stderr := callCommand(t, engine, append([]string{"--prune", "--yes"}, args...)...)
		assert.Equal(t, 1, status)
		assert.Contains(t, stderr, "[ERROR] build: "+wrong)
	}
	assert.Equal(t, []string{image}, engine.Images())
}

// Beside a peer, its own builds are found.
func TestListFindsTheBuildsOfItsPeer(t *testing.T) {
	engine, image := engineWithAnImage(t)
	production := t.TempDir()
	output := filepath.Join(production, "externalbuilder", "builds", "basic_1.0-abc", "bld")
	require.NoError(t, os.MkdirAll(output, 0o755))
	require.NoError(t, metadata.WriteRecord(output, metadata.Record{Type: "golang", Image: image, InstallToken: "t"}))
	var out, errs bytes.Buffer
	status := cli.Program{Name: "build", Commands: Commands()}.Run([]string{"--list", "--json"},
		[]string{"DOCKER_HOST=" + engine.Host(), "CORE_PEER_FILESYSTEMPATH=" + production}, &out, &errs, nil)
	assert.Equal(t, 0, status, errs.String())
	assert.Contains(t, out.String(), `"basic_1.0-abc"`)
	assert.NotContains(t, out.String(), `"remove"`)
}
