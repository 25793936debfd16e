// SPDX-License-Identifier: Apache-2.0

package install

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/test/peer"
)

// runWarm calls build --warm without an engine.
func runWarm(t *testing.T, packages ...string) (int, string) {
	t.Helper()
	return runCommand(t, Warm, packages...)
}

// runCommand calls a command of build without an engine.
func runCommand(t *testing.T, command cli.Phase, packages ...string) (int, string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	home := t.TempDir()
	program := cli.Program{Name: "build", Commands: []cli.Command{{Option: "--command", Phase: func(ctx context.Context, process cli.Process) error {
		process.Home = home
		return command(ctx, process)
	}}}}
	status := program.Run(append([]string{"--command"}, packages...), []string{"DOCKER_HOST=unix:///not/there.sock"}, &stdout, &stderr, nil)
	assert.Empty(t, stdout.String())
	return status, stderr.String()
}

// Bad packages are reported before an engine is contacted.
func TestWarmRefusesBadPackagesInOneLine(t *testing.T) {
	dir := t.TempDir()
	pkg := func(name string, metadata map[string]any, code ...peer.Entry) string {
		data, err := peer.Assemble(metadata, code...)
		require.NoError(t, err)
		write(t, filepath.Join(dir, name), string(data))
		return filepath.Join(dir, name)
	}
	good := pkg("good.tgz", map[string]any{"type": "golang", "label": "a_1"}, peer.File("src/go.mod", "module a"), peer.File("src/main.go", "package main"))
	write(t, filepath.Join(dir, "text.tgz"), "text")
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600))
	for name, test := range map[string]struct{ path, want string }{
		"missing":       {filepath.Join(dir, "missing.tgz"), "unpacking missing.tgz: open "},
		"not a package": {filepath.Join(dir, "text.tgz"), "unpacking text.tgz: "},
		"a FIFO":        {filepath.Join(dir, "fifo"), "unpacking fifo: open " + filepath.Join(dir, "fifo") + ": it is a FIFO, not a regular file"},
		"of Windows":    {pkg("windows.tgz", map[string]any{"type": "golang", "label": "a"}, peer.File(`src\go.mod`, "")), "reading the package: `src\\go.mod` is a Windows path"},
		"bad label":     {pkg("label.tgz", map[string]any{"type": "golang", "label": "a b"}), `invalid label "a b"`},
		"unknown type":  {pkg("type.tgz", map[string]any{"type": "wasm", "label": "a"}), `unknown package type "wasm"`},
		"no module":     {pkg("empty.tgz", map[string]any{"type": "golang", "label": "a"}, peer.File("src/x", "")), "planning the build of a golang package"},
	} {
		t.Run(name, func(t *testing.T) {
			status, stderr := runWarm(t, good, test.path)
			assert.Equal(t, 1, status)
			assert.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
			assert.Contains(t, stderr, "[ERROR] build: package "+test.path+": "+test.want)
		})
	}
	status, stderr := runWarm(t, good)
	assert.Equal(t, 1, status)
	assert.Contains(t, stderr, "no container engine answers at unix:///not/there.sock")
}

func TestAnewNeedsPackages(t *testing.T) {
	status, stderr := runCommand(t, Anew)
	assert.Equal(t, 1, status)
	assert.Equal(t, "[ERROR] build: build --anew needs the package files whose images it is to make\n", stderr)

	status, stderr = runCommand(t, Anew, "/not/there.tgz")
	assert.Equal(t, 1, status)
	assert.Contains(t, stderr, "[WARN]  build: using all variables of this process, since it is not known which of them the peer passes on: reason=")
	assert.Contains(t, stderr, "[ERROR] build: package /not/there.tgz: unpacking there.tgz: open ", "before an engine is contacted")
}
