// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestArgumentsNeedExactlyOneAction(t *testing.T) {
	tests := []struct {
		args []string
		want arguments
		ok   bool
	}{
		{[]string{"go", "test", "-v"}, arguments{workDir: ".work", command: []string{"go", "test", "-v"}}, true},
		{[]string{"--", "x", "--keep"}, arguments{workDir: ".work", command: []string{"x", "--keep"}}, true},
		{[]string{"--program", "busybox", "--", "x"}, arguments{workDir: ".work", programs: []string{"busybox"}, command: []string{"x"}}, true},
		{[]string{"--meanwhile", "y", "x"}, arguments{workDir: ".work", meanwhile: "y", command: []string{"x"}}, true},
		{[]string{"--work-dir", "d", "--clean"}, arguments{workDir: "d", clean: true}, true},
		{[]string{"--keep"}, arguments{workDir: ".work", keep: true}, true},
		{[]string{"--stop"}, arguments{workDir: ".work", stop: true}, true},
		{nil, arguments{}, false},
		{[]string{"--keep", "--clean"}, arguments{}, false},
		{[]string{"--keep", "x"}, arguments{}, false},
		{[]string{"--unknown"}, arguments{}, false},
	}
	for _, test := range tests {
		got, err := parse(test.args, io.Discard)
		if !test.ok {
			assert.Error(t, err, test.args)
			continue
		}
		require.NoError(t, err, test.args)
		if len(got.command) == 0 {
			got.command = nil
		}
		assert.Equal(t, test.want, got)
	}
}

func TestTheCommandsStatusIsReturned(t *testing.T) {
	for script, want := range map[string]int{"exit 0": 0, "exit 7": 7, "kill -TERM $$": 143, `test "$A" = b`: 0} {
		status, err := execute(t.Context(), []string{"sh", "-c", script}, []string{"A=b"})
		require.NoError(t, err, script)
		assert.Equal(t, want, status, script)
	}
	_, err := execute(t.Context(), []string{"/no/such/command"}, nil)
	assert.ErrorContains(t, err, "starting the command")
}

// What runs while the images are made runs beside it, and a failure of either is reported, as is that of both.
func TestAScriptRunsMeanwhile(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	var said []byte
	read := func() (err error) { // ends only if the script runs at the same time
		said, err = os.ReadFile(pipe)
		return err
	}
	require.NoError(t, meanwhile(t.Context(), "echo hello >"+pipe, read))
	assert.Equal(t, "hello\n", string(said))

	broken := errors.New("no images")
	well, badly := func() error { return nil }, func() error { return broken }
	require.NoError(t, meanwhile(t.Context(), "", well))
	require.ErrorIs(t, meanwhile(t.Context(), "", badly), broken)
	require.ErrorIs(t, meanwhile(t.Context(), "true", badly), broken)
	require.ErrorContains(t, meanwhile(t.Context(), "exit 7", well), "exit status 7")
	err := meanwhile(t.Context(), "exit 7", badly)
	require.ErrorIs(t, err, broken)
	require.ErrorContains(t, err, "exit status 7")
}

// The command's children get the signal too, because a test's helper that keeps running would leave containers behind.
func TestASignalReachesWhatTheCommandStarted(t *testing.T) {
	dir := t.TempDir()
	script := `cd ` + dir + `
trap "wait; exit 9" TERM
sh -c 'trap "touch child; exit 0" TERM; touch ready; while :; do sleep 0.05; done' &
wait`
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if _, err := os.Stat(filepath.Join(dir, "ready")); err == nil {
				_ = syscall.Kill(os.Getpid(), syscall.SIGTERM)
				return
			}
		}
	}()
	status, err := execute(t.Context(), []string{"sh", "-c", script}, nil)
	require.NoError(t, err)
	assert.Equal(t, 9, status)
	assert.FileExists(t, filepath.Join(dir, "child"))
}
