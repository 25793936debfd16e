// SPDX-License-Identifier: Apache-2.0

package test_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/test/fabricpeer"
	"fabric-builder-docker/test/fakeengine"
)

// caller holds what a peer needs to call build. Its engine has no images, so the error names the one that build needs.
type caller struct {
	program   string // build
	arguments []string
	environ   []string
}

func newCaller(t *testing.T) caller {
	t.Helper()
	root, err := os.MkdirTemp("", "fabric")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(root) })
	dir := func(name string) string { return filepath.Join(root, name) }
	write := func(name, text string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(dir(name)), 0o755))
		require.NoError(t, os.WriteFile(dir(name), []byte(text), 0o755))
	}
	write("source/src/go.mod", "module basic\n")
	write("source/src/main.go", "package main\n")
	write("metadata/metadata.json", `{"type":"golang","label":"basic_1.0","path":"."}`)
	require.NoError(t, os.Mkdir(dir("output"), 0o755))
	for _, open := range []string{root, dir("output")} { // one test calls build as nobody
		require.NoError(t, os.Chmod(open, 0o777))
	}
	program := dir("builder/bin/build")
	build := exec.Command("go", "build", "-o", program, "./cmd/build")
	build.Dir, build.Env = "..", append(os.Environ(), "CGO_ENABLED=0")
	output, err := build.CombinedOutput()
	require.NoError(t, err, string(output))
	return caller{
		program: program, arguments: []string{dir("source"), dir("metadata"), dir("output")},
		environ: []string{"PATH=" + os.Getenv("PATH"), "CORE_VM_ENDPOINT=" + fakeengine.New(t, fakeengine.TCP()).Host()},
	}
}

// call runs a command whose last arguments are those of build, and returns the lines on stderr. The build fails.
func (c caller) call(t *testing.T, environ []string, command ...string) []string {
	t.Helper()
	command = append(command, c.arguments...)
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Env = append(c.environ, environ...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	require.ErrorAs(t, cmd.Run(), new(*exec.ExitError), stderr.String())
	lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
	require.Greater(t, len(lines), 1, stderr.String())
	return lines
}

func peerProgram(t *testing.T, flags ...string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "peer")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	program, err := fabricpeer.Build(dir, fabricpeer.Module, flags...)
	require.NoError(t, err)
	return program
}

// With a name and a path alone, a 2.5 peer builds with the images of 2.5, as its built-in controller does: a site without
// Internet access has no others.
func TestABuildTakesTheImagesOfThePeersVersion(t *testing.T) {
	c := newCaller(t)
	flags := fabricpeer.Metadata(fabricpeer.Module, "Version=v2.5.9", "DockerNamespace=example/fabric")
	peer := peerProgram(t, flags)
	const first = "[INFO]  build: building for Fabric: label=basic_1.0 version=2.5.9 docker_namespace=example/fabric from=\"the executable of the peer, process "
	builds25 := func(t *testing.T, lines []string) {
		t.Helper()
		assert.True(t, strings.HasPrefix(lines[0], first), lines[0])
		assert.Contains(t, lines[len(lines)-1], `builder image "example/fabric/fabric-ccenv:2.5"`)
	}
	builds31 := func(t *testing.T, lines []string, reason string) {
		t.Helper()
		assert.True(t, strings.HasPrefix(lines[0], "[WARN]  build: building for Fabric, but the peer's version is not known: label=basic_1.0 version=3.1 "), lines[0])
		assert.Contains(t, lines[0], reason)
		assert.Contains(t, lines[0], "builder.fabricVersion")
		assert.Contains(t, lines[len(lines)-1], `builder image "hyperledger/fabric-ccenv:3.1"`)
	}

	t.Run("that calls it", func(t *testing.T) { builds25(t, c.call(t, nil, peer, "node", "start", c.program)) })
	t.Run("that calls it through a script", func(t *testing.T) {
		script := filepath.Join(filepath.Dir(c.program), "build.sh")
		require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\n"+c.program+" \"$@\"\nstatus=$?\nexit $status\n"), 0o755)) // no exec
		builds25(t, c.call(t, nil, peer, "node", "start", script))
	})
	t.Run("whose executable was replaced", func(t *testing.T) { // by an upgrade of its package while it runs
		other := peerProgram(t, flags)
		script := filepath.Join(filepath.Dir(c.program), "replaced.sh")
		require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\nrm "+other+" && cp /bin/true "+other+" && "+c.program+" \"$@\"\nexit $?\n"), 0o755))
		builds25(t, c.call(t, nil, other, "node", "start", script))
	})
	t.Run("beside it", func(t *testing.T) { // docker exec: the parent is in another PID namespace
		script := filepath.Join(filepath.Dir(c.program), "beside.sh")
		require.NoError(t, os.WriteFile(script, []byte(beside), 0o755))
		builds25(t, c.call(t, nil, isolated(script, peer, c.program)...))
	})
	t.Run("unless it is set", func(t *testing.T) {
		lines := c.call(t, []string{"CORE_BUILDER_FABRICVERSION=2.4"}, peer, "node", "start", c.program)
		assert.Equal(t, "[INFO]  build: building for Fabric: label=basic_1.0 version=2.4 docker_namespace=example/fabric from=CORE_BUILDER_FABRICVERSION", lines[0])
		assert.Contains(t, lines[len(lines)-1], `"example/fabric/fabric-ccenv:2.4"`)
	})
	t.Run("that may not be read", func(t *testing.T) { // for want of permission, as with file capabilities
		lines := c.call(t, []string{"FABRICPEER_HIDDEN=1"}, peer, "node", "start", c.program)
		builds31(t, lines, `reason="reading the executable of the peer, process `)
		assert.Contains(t, lines[0], `: permission denied"`)
	})
	t.Run("that records none", func(t *testing.T) { // as by Go before 1.18
		builds31(t, c.call(t, nil, peerProgram(t, "-trimpath", flags), "node", "start", c.program), "does not record a version")
	})
	t.Run("of which there is none", func(t *testing.T) {
		lines := c.call(t, nil, isolated(c.program)...)
		assert.Equal(t, `[INFO]  build: building for Fabric: label=basic_1.0 version=3.1 docker_namespace=hyperledger from="the default"`, lines[0])
	})
}

// beside is a script that runs a program while a peer, which it has not started, runs in the same container.
const beside = `#!/bin/sh
peer=$1 program=$2
shift 2
mkfifo "$3/input" "$3/output"
"$peer" node start <"$3/input" >"$3/output" &
exec 3>"$3/input"
read -r line <"$3/output" # it runs
rm "$3/input" "$3/output"
"$program" "$@"
status=$?
exec 3>&-
wait
exit $status
`

// isolated returns a command that runs in a PID namespace of its own, as in a container: peers that run on this machine are
// not seen.
func isolated(command ...string) []string {
	unshare := []string{"unshare", "--pid", "--fork", "--kill-child", "--mount-proc"}
	if os.Getuid() != 0 {
		unshare = append(unshare, "--user", "--map-root-user")
	}
	return append(unshare, command...)
}
