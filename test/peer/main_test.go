// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// runVariable makes the test binary act as a builder's run program. It holds the path of the chaincode to execute.
const runVariable = "PEER_TEST_RUN"

func TestMain(m *testing.M) {
	if chaincode := os.Getenv(runVariable); chaincode != "" {
		err := becomeChaincode(chaincode, os.Args[2])
		fmt.Fprintln(os.Stderr, "run:", err)
		os.Exit(1)
	}
	os.Exit(runTests(m))
}

// shared is a directory for files that all tests use.
var shared string

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "peer-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, "creating directory:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	shared = dir
	return m.Run()
}

// scripts holds the bodies of a builder's programs, by name.
type scripts map[string]string

// builder writes a builder whose programs are shell scripts. A program without a body does nothing and succeeds, except
// release, which is not written.
func builder(t *testing.T, bodies scripts) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "bin"), 0o700))
	for _, program := range []string{"detect", "build", "run"} {
		if _, ok := bodies[program]; !ok {
			writeScript(t, filepath.Join(dir, "bin", program), "exit 0")
		}
	}
	for program, body := range bodies {
		writeScript(t, filepath.Join(dir, "bin", program), body)
	}
	return dir
}

// writeScript writes a script under the fork lock. Otherwise a child forked meanwhile would hold the file open for
// writing, and executing it would fail.
func writeScript(t *testing.T, file, body string) {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	require.NoError(t, os.WriteFile(file, []byte("#!/bin/sh\n"+body+"\n"), 0o700))
}

// fixture is a peer whose builder consists of scripts.
type fixture struct {
	*Peer
	journal *Journal
	options Options
}

// start starts a peer that is closed when the test ends. Its periods are too long to pass even on a busy machine; tests
// shorten those that they need.
func start(t *testing.T, bodies scripts, changes ...func(*Options)) *fixture {
	t.Helper()
	journal := &Journal{}
	options := Options{
		BuilderPath: builder(t, bodies), BuilderName: "fake", Dir: t.TempDir(), Log: journal.Log,
		StartupTimeout: wait, ExecuteTimeout: wait, TermTimeout: wait, KillTimeout: wait, ShutdownTimeout: wait,
	}
	for _, change := range changes {
		change(&options)
	}
	return restart(t, options, journal)
}

func restart(t *testing.T, options Options, journal *Journal) *fixture {
	t.Helper()
	peer, err := Start(t.Context(), options)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, peer.Close()) })
	return &fixture{Peer: peer, journal: journal, options: options}
}

func withTLS(o *Options) { o.TLS = true }

// pkgOf returns a package with one file.
func pkgOf(t *testing.T, label string) []byte {
	t.Helper()
	raw, err := Assemble(map[string]any{"type": "golang", "path": "example.com/kv", "label": label},
		File("src/main.go", "package main\n"))
	require.NoError(t, err)
	return raw
}

// install installs a package that is expected to build.
func (f *fixture) install(t *testing.T, label string) string {
	t.Helper()
	id, err := f.Install(t.Context(), pkgOf(t, label))
	require.NoError(t, err)
	return id
}

// soon returns a context that bounds the wait for something that should happen at once.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	t.Cleanup(cancel)
	return ctx
}
