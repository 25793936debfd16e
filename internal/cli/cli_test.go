// SPDX-License-Identifier: Apache-2.0

package cli_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/loglines"
)

var program = cli.Program{
	Name: "build", Arguments: []string{"SOURCE_DIR", "METADATA_DIR"}, Summary: "Builds.", Details: "In detail.",
}

func TestRunEndsWithTheStatusOfItsPhase(t *testing.T) {
	tests := map[string]struct {
		args           []string
		err            error
		status         int
		stdout, stderr string
	}{
		"done":               {[]string{"a", "b"}, nil, 0, "", ""},
		"failed":             {[]string{"a", "b"}, errors.New("reading x: gone"), 1, "", "[ERROR] build: reading x: gone\n"},
		"a status":           {[]string{"a", "b"}, cli.Status(143), 143, "", ""},
		"too few arguments":  {[]string{"a"}, nil, 2, "", "build: expected 2 arguments, got 1\nUsage: build SOURCE_DIR METADATA_DIR\n"},
		"none":               {nil, nil, 2, "", "build: expected 2 arguments, got 0\nUsage: build SOURCE_DIR METADATA_DIR\n"},
		"an option":          {[]string{"a", "-v"}, nil, 2, "", "build: unexpected option \"-v\"\nUsage: build SOURCE_DIR METADATA_DIR\n"},
		"help for something": {[]string{"--help", "b"}, nil, 2, "", "build: unexpected option \"--help\"\nUsage: build SOURCE_DIR METADATA_DIR\n"},
		"a lone option":      {[]string{"-x"}, nil, 2, "", "build: unexpected option \"-x\"\nUsage: build SOURCE_DIR METADATA_DIR\n"},
		"help at the end":    {[]string{"a", "b", "-h"}, nil, 2, "", "build: unexpected option \"-h\"\nUsage: build SOURCE_DIR METADATA_DIR\n"},
		"help": {[]string{"--help"}, nil, 0, "Usage: build SOURCE_DIR METADATA_DIR\n\nBuilds.\n\nIn detail.\n\n" +
			"Options:\n  -h, --help   print this text\n  --version    print the version\n", ""},
		"version": {[]string{"--version"}, nil, 0, "build " + cli.Version() + "\n", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			status := program.Run(test.args, nil, &stdout, &stderr, func(context.Context, cli.Process) error { return test.err })
			assert.Equal(t, test.status, status)
			assert.Equal(t, test.stdout, stdout.String())
			assert.Equal(t, test.stderr, stderr.String())
		})
	}
}

func TestCommands(t *testing.T) {
	var got []string
	withCommand := program
	withCommand.Commands = []cli.Command{{Option: "--warm", Arguments: "[PACKAGE ...]", Summary: "Warms.\nUp.", Phase: func(_ context.Context, p cli.Process) error {
		got = p.Args
		return errors.New("warm")
	}}}
	usage := "Usage: build SOURCE_DIR METADATA_DIR\n       build --warm [PACKAGE ...]\n"
	for name, test := range map[string]struct {
		args   []string
		want   []string
		status int
		stderr string
	}{
		"alone":               {[]string{"--warm"}, []string{}, 1, "[ERROR] build: warm\n"},
		"with arguments":      {[]string{"--warm", "a", "b", "c"}, []string{"a", "b", "c"}, 1, "[ERROR] build: warm\n"},
		"with another option": {[]string{"--warm", "-v"}, nil, 2, "build: unexpected option \"-v\"\n" + usage},
		"not the first":       {[]string{"a", "--warm"}, nil, 2, "build: unexpected option \"--warm\"\n" + usage},
		"the peer's call":     {[]string{"a", "b"}, nil, 1, "[ERROR] build: built\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got = nil
			var stdout, stderr bytes.Buffer
			status := withCommand.Run(test.args, nil, &stdout, &stderr, func(context.Context, cli.Process) error { return errors.New("built") })
			assert.Equal(t, test.status, status)
			assert.Equal(t, test.stderr, stderr.String())
			assert.Equal(t, test.want, got)
		})
	}
	assert.Equal(t, usage+"\nBuilds.\n\nIn detail.\n\nOptions:\n  --warm [PACKAGE ...]\n               Warms.\n               Up.\n"+
		"  -h, --help   print this text\n  --version    print the version\n", withCommand.Help())
}

func TestAnErrorNeverMakesALineThatKillsThePeersScanner(t *testing.T) {
	var stdout, stderr bytes.Buffer
	status := program.Run([]string{"a", "b"}, nil, &stdout, &stderr, func(context.Context, cli.Process) error {
		return errors.New(strings.Repeat("x", 200_000))
	})
	assert.Equal(t, 1, status)
	assert.Contains(t, stderr.String(), "[… 195904 bytes cut …]")
	for line := range strings.Lines(stderr.String()) {
		assert.LessOrEqual(t, len(line), loglines.MaxLine)
	}
}

func TestASignalEndsTheContextAndIsItsCause(t *testing.T) {
	var cause error
	var stdout, stderr bytes.Buffer
	program.Run([]string{"a", "b"}, nil, &stdout, &stderr, func(ctx context.Context, _ cli.Process) error {
		require.NoError(t, syscall.Kill(syscall.Getpid(), syscall.SIGTERM))
		<-ctx.Done()
		cause = context.Cause(ctx)
		return nil
	})
	var stopped cli.Stopped
	require.ErrorAs(t, cause, &stopped)
	assert.Equal(t, syscall.SIGTERM, stopped.Signal)
}

// Somebody at a terminal does not want to wait for the clean-up. Any other second signal must not end it: a peer in a
// terminal and its programs get SIGINT together, and then the peer sends SIGTERM.
func TestASecondInterruptEndsTheProgram(t *testing.T) {
	const child = "CLI_TEST_SIGNALS"
	if signals := os.Getenv(child); signals != "" {
		os.Exit(program.Run([]string{"a", "b"}, nil, os.Stdout, os.Stderr, func(ctx context.Context, _ cli.Process) error {
			arrived := make(chan os.Signal, 1)
			signal.Notify(arrived, syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM)
			for _, number := range strings.Split(signals, " ") {
				n, _ := strconv.Atoi(number)
				syscall.Kill(syscall.Getpid(), syscall.Signal(n))
				for (<-arrived) != syscall.Signal(n) { // signals that come together are one
				}
				<-ctx.Done()
			}
			if strings.HasSuffix(signals, "2 2") {
				<-time.After(time.Minute)
			}
			return errors.New("cleaned up")
		}))
	}
	for signals, want := range map[string]int{"2": 1, "2 2": 130, "15 2 2": 130, "2 15": 1, "15 15": 1, "15 2": 1, "1 15 2": 1} {
		t.Run(signals, func(t *testing.T) {
			t.Parallel()
			command := exec.Command(os.Args[0], "-test.run=^TestASecondInterruptEndsTheProgram$")
			command.Env = append(os.Environ(), child+"="+signals)
			output, err := command.CombinedOutput()
			require.ErrorAs(t, err, new(*exec.ExitError))
			assert.Equal(t, want, command.ProcessState.ExitCode(), "%s", output)
			assert.Equal(t, want == 130, strings.Contains(string(output), "[WARN]  build: interrupted again: exiting without cleaning up"))
		})
	}
}
