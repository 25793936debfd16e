// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"errors"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/test/shells"
)

// A build whose leader has died ends by itself.
func TestABuildsCommandEndsAtItsTimeOut(t *testing.T) {
	for _, shell := range shells.All(t) {
		t.Run(shell.Name, func(t *testing.T) {
			run := func(limit time.Duration, command ...string) (output string, status int) {
				words := endAfter(limit, command)
				require.Equal(t, []string{"/bin/sh", "-c"}, words[:2])
				cmd := shell.Command(nil, words[1:]...)
				cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
				text, err := cmd.Output()
				_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what waits to kill whoever has the number of its process then
				var exit *exec.ExitError
				if errors.As(err, &exit) {
					return string(text), exit.ExitCode()
				}
				require.NoError(t, err)
				return string(text), 0
			}
			output, status := run(time.Minute, "/bin/sh", "-c", `echo "$1"; exit 3`, "build", "a  b")
			assert.Equal(t, "a  b\n", output, "the command's arguments, and no other output")
			assert.Equal(t, 3, status)
			output, status = run(3*time.Second, "/bin/sh", "-c", `echo begun; exec sleep 600`)
			assert.Equal(t, "begun\n", output)
			assert.Equal(t, -1, status, "killed")
		})
	}
}

// The removals after a signal have one time for all, since the peer does not wait longer for run.
func TestTheRemovalsAfterASignalShareTheirTime(t *testing.T) {
	b := &Builder{Periods: Periods{Cleanup: time.Hour}}
	ctx, cancel := context.WithCancel(t.Context())
	defer b.noteEnd(ctx)()
	assert.Equal(t, time.Hour, b.cleanupLeft())
	cancel()
	require.Eventually(t, func() bool { return b.cleanupLeft() < time.Hour }, time.Minute, time.Millisecond)
	long := time.Now().Add(-2 * time.Hour)
	b.ended.Store(&long)
	assert.Positive(t, b.cleanupLeft(), "enough to send a request")
}

// Docker gives no capability to other users, but podman does.
func TestOnlyRootGetsCapabilitiesInABuild(t *testing.T) {
	for user, root := range map[string]bool{"": true, "0": true, "root": true, "0:0": true, "root:root": true, "chaincode": false, "500:0": false, "00": false} {
		assert.Equal(t, root, len(capabilities(docker.Image{User: user})) > 0, "%q", user)
	}
}

// Each attempt is given twice as much time as the one before: if builders are only slow, they must not become many.
func TestPatienceGrowsWithEachAttempt(t *testing.T) {
	for attempt, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 4: 8 * time.Second, 100: 1024 * time.Second} {
		f := follower{attempt: attempt}
		assert.Equal(t, want, f.patience(time.Second), attempt)
	}
}
