// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stubborn is a run program that survives SIGTERM.
const stubborn = `trap '' TERM; echo "dir $2" >&2; exec sleep 600`

// running launches a chaincode that never registers and returns its run.
func running(t *testing.T, peer *fixture, label string) (string, *Process) {
	t.Helper()
	id := peer.install(t, label)
	peer.launch(t, id)
	run := peer.Runs(id)[0]
	_, err := peer.journal.Wait(soon(t), "dir "+run.Args()[1])
	require.NoError(t, err)
	return id, run
}

func TestStopSendsSIGTERM(t *testing.T) {
	peer := start(t, scripts{"run": `trap 'echo cleaning >&2; exit 143' TERM; echo "dir $2" >&2; while :; do sleep 0.01; done`})
	id, run := running(t, peer, "kv")
	require.NoError(t, peer.Stop(t.Context(), id))
	assert.Equal(t, 143, run.ExitCode())
	assert.Contains(t, peer.journal.String(), "cleaning")
	assert.NoError(t, peer.Stop(t.Context(), id), "stopping it again succeeds")
}

func TestStopSendsSIGKILL(t *testing.T) {
	peer := start(t, scripts{"run": stubborn}, func(o *Options) { o.TermTimeout = 100 * time.Millisecond })
	id, run := running(t, peer, "kv")
	require.NoError(t, peer.Stop(t.Context(), id))
	assert.EqualError(t, run.Err(), "signal: killed")
	assert.GreaterOrEqual(t, run.Lived(), 100*time.Millisecond)
}

// SIGKILL reaches only the process itself, and the peer waits for the end of stderr.
func TestAGrandchildWithStderrKeepsThePeerWaiting(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	peer := start(t, scripts{"run": `sleep 600 & echo $! > ` + pidFile + `; echo "dir $2" >&2; wait`},
		func(o *Options) { o.TermTimeout, o.KillTimeout = 50*time.Millisecond, 50*time.Millisecond })
	id, run := running(t, peer, "kv")

	assert.EqualError(t, peer.Stop(t.Context(), id), "failed to stop instance '"+id+"'")
	assert.False(t, run.Ended())

	raw, err := os.ReadFile(pidFile)
	require.NoError(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
	require.NoError(t, run.Wait(soon(t)))
	assert.EqualError(t, run.Err(), "signal: terminated")
}

func TestStoppingAChaincodeThatWasNeverStarted(t *testing.T) {
	peer := start(t, nil)
	assert.ErrorIs(t, peer.Stop(t.Context(), peer.install(t, "kv")), ErrNotStarted)
	assert.ErrorIs(t, peer.Stop(t.Context(), "unknown:1"), ErrNotStarted)
}

func TestStopEndsWithItsContext(t *testing.T) {
	peer := start(t, scripts{"run": stubborn}, func(o *Options) { o.ShutdownTimeout = time.Millisecond })
	id, run := running(t, peer, "kv")
	assert.ErrorIs(t, peer.Stop(expired(t), id), context.DeadlineExceeded)
	run.kill()
	require.NoError(t, run.Wait(soon(t)))
}

// Each of the two ends only after both were signalled.
func TestStopAllStopsInParallel(t *testing.T) {
	told := t.TempDir()
	peer := start(t, scripts{"run": `
		trap 'touch ` + told + `/$$; while [ $(ls ` + told + ` | wc -l) -lt 2 ]; do sleep 0.01; done; exit 0' TERM
		echo "dir $2" >&2
		while :; do sleep 0.01; done`})
	_, one := running(t, peer, "one")
	_, other := running(t, peer, "other")
	require.NoError(t, peer.StopAll(t.Context()))
	assert.Zero(t, one.ExitCode())
	assert.Zero(t, other.ExitCode())
}

func TestStopAllGivesUpAfterOnePeriodForAll(t *testing.T) {
	peer := start(t, scripts{"run": stubborn}, func(o *Options) { o.ShutdownTimeout = 50 * time.Millisecond })
	_, run := running(t, peer, "kv")
	assert.ErrorContains(t, peer.StopAll(t.Context()), "timeout while stopping external chaincodes")
	assert.False(t, run.Ended())
	run.kill()
	require.NoError(t, run.Wait(soon(t)))
}

func TestCloseLeavesNoProgramBehind(t *testing.T) {
	peer := start(t, scripts{"run": stubborn}, func(o *Options) {
		o.ShutdownTimeout, o.StartupTimeout = 50*time.Millisecond, 100*time.Millisecond
	})
	id := peer.install(t, "kv")
	for range 2 { // the first of them has lost its handle
		config, result := peer.launch(t, id)
		require.Equal(t, id, config.ChaincodeID)
		require.ErrorIs(t, <-result, ErrStartupTimeout)
	}
	for _, run := range peer.Runs(id) {
		_, err := peer.journal.Wait(soon(t), "dir "+run.Args()[1])
		require.NoError(t, err)
	}
	err := peer.Close()
	assert.ErrorContains(t, err, "had to be killed")
	for _, run := range peer.Runs(id) {
		assert.EqualError(t, run.Err(), "signal: killed")
	}
	_, err = peer.Launch(t.Context(), id)
	assert.ErrorContains(t, err, "the peer is closed")
}

// run notices only by its stderr that its peer was killed.
func TestACrashBreaksThePipes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "status")
	peer := start(t, scripts{"run": `trap '' PIPE; echo "dir $2" >&2; while echo x >&2; do sleep 0.01; done; echo broken > ` + file + `; exit 9`})
	_, run := running(t, peer, "kv")
	peer.Crash()
	require.NoError(t, run.Wait(soon(t)))
	assert.Equal(t, 9, run.ExitCode())
	assert.FileExists(t, file)
	assert.FileExists(t, filepath.Join(run.Args()[1], "chaincode.json"), "a dead peer cleans nothing up")
}
