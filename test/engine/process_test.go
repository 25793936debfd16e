// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAPidfileCountsOnlyForItsProcess(t *testing.T) {
	sleep := exec.Command("sleep", "4321")
	require.NoError(t, sleep.Start())
	defer func() { _ = sleep.Wait() }()
	defer func() { _ = sleep.Process.Kill() }()
	file := filepath.Join(t.TempDir(), "pid")
	require.NoError(t, os.WriteFile(file, []byte(strconv.Itoa(sleep.Process.Pid)+"\n"), 0o644))

	var pid int
	require.True(t, poll(t.Context(), time.Minute, func() (alive bool) { // Start returns before its arguments can be read
		pid, alive = readPID(file, "4321")
		return alive
	}))
	assert.Equal(t, sleep.Process.Pid, pid)
	_, alive := readPID(file, "/tmp/fbd-00000000/dockerd.pid")
	assert.False(t, alive, "the PID belongs to another program now")
	_, alive = readPID(file+".none", "4321")
	assert.False(t, alive)
	require.NoError(t, os.WriteFile(file, []byte("1"), 0o644))
	_, alive = readPID(file, "")
	assert.False(t, alive, "process 1 is never signalled")
}

func TestAnEndedProcessIsNotAliveBeforeItIsReaped(t *testing.T) {
	ended := exec.Command("true")
	require.NoError(t, ended.Start())
	defer func() { _ = ended.Wait() }()
	assert.True(t, poll(t.Context(), time.Minute, func() bool { return !alive(ended.Process.Pid) }))
	assert.True(t, alive(os.Getpid()))
}

func TestTerminateKillsAProcessThatIgnoresSIGTERM(t *testing.T) {
	stubborn := exec.Command("sh", "-c", `trap "" TERM; echo ready; while :; do sleep 0.05; done`)
	ready, err := stubborn.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, stubborn.Start())
	defer func() { _ = stubborn.Process.Kill(); _ = stubborn.Wait() }()
	_, err = ready.Read(make([]byte, 1))
	require.NoError(t, err)

	require.NoError(t, terminate(t.Context(), stubborn.Process.Pid, 100*time.Millisecond))
	assert.False(t, alive(stubborn.Process.Pid))
}

func TestPollEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.False(t, poll(ctx, 24*time.Hour, func() bool { return false }), "without that, the test would not end")
}
