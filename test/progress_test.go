// SPDX-License-Identifier: Apache-2.0

package test_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/install"
	"fabric-builder-docker/test/fakeengine"
	"fabric-builder-docker/test/terminal"
)

// on builds with a terminal, or a file, as stderr.
func (s *site) on(stderr *os.File, environ ...string) int {
	return cli.Program{Name: "build", Arguments: []string{"SOURCE_DIR", "METADATA_DIR", "OUTPUT_DIR"}, StatusLine: install.StatusLine}.Run(
		[]string{filepath.Join(s.scratch, "src"), filepath.Join(s.scratch, "metadata"), s.output}, environ, &bytes.Buffer{}, stderr,
		func(ctx context.Context, process cli.Process) error {
			process.Home = s.home
			return install.Build(ctx, process)
		})
}

// pulls lets the engine pull the builder image, and calls await when 120 of 310 MB have been pulled.
func (s *site) pulls(await func()) {
	s.engine.RemoveImage("ccenv:1")
	s.engine.On(fakeengine.Pull, fakeengine.Stream(func(answer io.Writer, _ <-chan struct{}) {
		for _, message := range []string{
			`{"status":"Pulling from ccenv","id":"1"}`,
			`{"status":"Pulling fs layer","progressDetail":{},"id":"aaaa"}`,
			`{"status":"Already exists","progressDetail":{},"id":"bbbb"}`,
			`{"status":"Downloading","progressDetail":{"current":120000000,"total":310000000},"id":"aaaa"}`,
		} {
			io.WriteString(answer, message+"\r\n")
		}
		await()
		s.engine.AddImage(fakeengine.Image{Name: "ccenv:1", Layers: []string{"sha256:a"}, User: "chaincode"})
	}))
}

// rendered returns the lines that a terminal shows in the end.
func rendered(written string) []string {
	lines := strings.Split(strings.ReplaceAll(written, "\r\n", "\n"), "\n")
	for i, line := range lines {
		if at := strings.LastIndex(line, "\r\x1b[K"); at >= 0 {
			line = line[at+len("\r\x1b[K"):]
		}
		lines[i] = line
	}
	return lines
}

var variable = regexp.MustCompile(`(took|pulling|building|making_image|docker_namespace)=\S+`)

func TestABuildOnATerminalShowsWhatItIsDoing(t *testing.T) {
	s, pty := newSite(t), terminal.Open(t, 100)
	s.pulls(func() { pty.Await(t, ", 1 of 2 layers, 120 of 310 MB, ccenv:1") })
	s.engine.SetProgram(func(p *fakeengine.Process) int {
		fmt.Fprint(p.Stdout, "go version go1.26.1 linux/amd64\n\x1b[31mgithub.com/example/a-package\x1b[0m\n")
		pty.Await(t, ", 2 lines: github.com/example/a-package")
		return compiles(p)
	})
	require.Zero(t, s.on(pty.Slave, "TERM=xterm"), pty)
	pty.Await(t, "build: built: ")
	assert.Contains(t, pty.String(), "\r\x1b[K"+logShort+"building, ")
	lines := rendered(pty.String())
	assert.Empty(t, lines[len(lines)-1], "nothing is left below the last line")
	for _, line := range lines[:len(lines)-1] {
		assert.True(t, strings.HasPrefix(line, "["), "%q is no line of the log", line)
	}
	for drawn := range strings.SplitSeq(pty.String(), "\r\x1b[K") {
		if !strings.Contains(drawn, "\n") {
			assert.Less(t, len([]rune(drawn)), 100, drawn)
		}
	}

	// The lines are those that a log gets.
	other := newSite(t)
	other.pulls(func() {})
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	defer file.Close()
	require.Zero(t, other.on(file, "TERM=xterm"))
	log, err := os.ReadFile(file.Name())
	require.NoError(t, err)
	assert.NotContains(t, string(log), "\r")
	heads := func(lines []string) (heads []string) {
		for _, line := range lines {
			head, _, _ := strings.Cut(line, ": label=")
			heads = append(heads, variable.ReplaceAllString(head, ""))
		}
		return heads
	}
	assert.Equal(t, heads(strings.Split(string(log), "\n")), heads(lines))
}

func TestATerminalThatCannotEraseALine(t *testing.T) {
	s, pty := newSite(t), terminal.Open(t, 100)
	require.Zero(t, s.on(pty.Slave, "TERM=dumb"))
	pty.Await(t, "build: built: ")
	assert.NotContains(t, pty.String(), "\x1b")
}

// A terminal shows the whole error of a build that fails, below what it printed, and no status line.
func TestAFailedBuildOnATerminal(t *testing.T) {
	s, pty := newSite(t), terminal.Open(t, 100)
	s.engine.SetProgram(func(p *fakeengine.Process) int {
		fmt.Fprint(p.Stderr, "./main.go:5:2: undefined: x\n")
		pty.Await(t, "1 lines: ./main.go:5:2: undefined: x")
		return 1
	})
	assert.Equal(t, 1, s.on(pty.Slave, "TERM=xterm"))
	pty.Await(t, "[ERROR] build: the build ended with exit status 1: ./main.go:5:2: undefined: x")
	lines := rendered(pty.String())
	assert.Contains(t, lines[len(lines)-2], "[ERROR] build: ")
	assert.Empty(t, lines[len(lines)-1])
}
