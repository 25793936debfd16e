// SPDX-License-Identifier: Apache-2.0

package check

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/host"
	"fabric-builder-docker/test/fakeengine"
)

const (
	builderImage = "ccenv:1"
	runtimeImage = "baseos:1"
	peerAddress  = "peer0.example.com:7052"
)

// installation is an installation of the builder whose only fault is what a test has broken.
type installation struct {
	t         *testing.T
	home      string
	config    map[string]any // config.yaml
	environ   []string
	args      []string
	probing   bool
	runs      bool // run --check instead of build --check
	free      space
	readOnly  bool    // directories are not writable
	container dialled // what the probe's container answers
	peer      host.Container
	load      Load
}

// newInstallation returns one in which all is well.
func newInstallation(t *testing.T, engine *fakeengine.Engine) *installation {
	t.Helper()
	i := &installation{t: t, home: t.TempDir(), args: []string{peerAddress}, free: space{Free: 50e9, Total: 100e9}, load: config.Load,
		config: map[string]any{
			"vm":        map[string]any{"docker": map[string]any{"hostConfig": map[string]any{"NetworkMode": "fabric"}}},
			"chaincode": map[string]any{"builder": builderImage, "golang": map[string]any{"runtime": runtimeImage}},
			"builder":   map[string]any{"types": []string{"golang"}, "fabricVersion": "3.1"},
		}}
	require.NoError(t, os.Mkdir(filepath.Join(i.home, "bin"), 0o755))
	for _, name := range []string{"detect", "build", "release", "run"} {
		require.NoError(t, os.WriteFile(filepath.Join(i.home, "bin", name), []byte("program"), 0o755))
	}
	core := t.TempDir()
	i.environ = []string{"FABRIC_CFG_PATH=" + core, "DOCKER_CONFIG=" + core}
	text := fmt.Sprintf("chaincode: {externalBuilders: [{name: docker, path: %s, propagateEnvironment: [DOCKER_HOST, DOCKER_CONFIG, FABRIC_CFG_PATH]}]}", i.home)
	require.NoError(t, os.WriteFile(filepath.Join(core, "core.yaml"), []byte(text), 0o644))
	if engine != nil {
		i.environ = append(i.environ, "DOCKER_HOST="+engine.Host())
		engine.AddNetwork("fabric")
		engine.AddImage(fakeengine.Image{Name: builderImage, Layers: []string{"sha256:a"}, User: "500:500", Command: []string{"sh"}})
		engine.AddImage(fakeengine.Image{Name: runtimeImage, Layers: []string{"sha256:b"}, Command: []string{"sh"}})
		i.container = dialled{Addresses: []string{"172.18.0.2"}, Space: &space{Free: 50e9, Total: 100e9}}
		engine.SetProgram(func(p *fakeengine.Process) int {
			assert.NotEmpty(t, p.Files.Read(probePath), "the program was uploaded")
			json.NewEncoder(p.Stdout).Encode(i.container)
			return 0
		})
	}
	return i
}

// set sets a key of a section of config.yaml.
func (i *installation) set(section, key string, value any) {
	part, ok := i.config[section].(map[string]any)
	if !ok {
		part = map[string]any{}
		i.config[section] = part
	}
	part[key] = value
}

// check runs all checks, and returns the lines and whether all was well.
func (i *installation) check() (lines string, healthy bool) {
	i.t.Helper()
	text, err := json.Marshal(i.config) // YAML as well
	require.NoError(i.t, err)
	require.NoError(i.t, os.WriteFile(filepath.Join(i.home, "config.yaml"), text, 0o644))
	return i.checkAsIs(i.t.Context())
}

func (i *installation) checkAsIs(ctx context.Context) (lines string, healthy bool) {
	var out bytes.Buffer
	program := filepath.Join(i.t.TempDir(), "program")
	require.NoError(i.t, os.WriteFile(program, []byte("this program"), 0o755))
	c := &checker{
		report: &report{out: &out}, builds: !i.runs, load: i.load,
		process: cli.Process{Args: i.args, Home: i.home, Environ: i.environ, Stdout: &out, Stderr: &out, Log: hclog.NewNullLogger()},
		place:   place{free: func(string) (space, error) { return i.free, nil }, writable: func(string) bool { return !i.readOnly }, executable: program, container: i.peer},
	}
	require.NoError(i.t, c.readArguments())
	c.checkAll(ctx, i.probing)
	return out.String(), c.finish() == nil
}

// finds checks that exactly one line says that something is wrong, with these texts in it.
func (i *installation) finds(check string, texts ...string) string {
	i.t.Helper()
	lines, healthy := i.check()
	return i.oneFault(lines, healthy, check, texts...)
}

func (i *installation) oneFault(lines string, healthy bool, check string, texts ...string) string {
	i.t.Helper()
	assert.False(i.t, healthy, lines)
	var faults []string
	for line := range strings.Lines(lines) {
		if strings.HasPrefix(line, "FAIL") {
			faults = append(faults, line)
		}
	}
	require.Len(i.t, faults, 1, lines)
	assert.Contains(i.t, faults[0], "FAIL  "+check+": ")
	for _, text := range texts {
		assert.Contains(i.t, faults[0], text)
	}
	return lines
}

// directory returns the header of a directory with that owner.
func directory(uid int, mode int64) tar.Header {
	return tar.Header{Typeflag: tar.TypeDir, Uid: uid, Gid: uid, Mode: mode}
}
