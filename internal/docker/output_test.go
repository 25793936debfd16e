// SPDX-License-Identifier: Apache-2.0

package docker_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/test/fakeengine"
)

func TestAttachBeforeTheStartDeliversEverything(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine, client := connect(t, flavour...)
			engine.SetProgram(func(p *fakeengine.Process) int { // ends at once
				p.Stdout.Write([]byte("out\n"))
				p.Stderr.Write([]byte("err\n"))
				p.Stdout.Write([]byte(strings.Repeat("x", 1<<20)))
				return 0
			})
			id := create(t, client)
			attached, err := client.Attach(t.Context(), id, nil)
			require.NoError(t, err)
			require.NoError(t, client.Start(t.Context(), id))
			stdout, stderr, err := output(t, attached)
			require.NoError(t, err)
			assert.Equal(t, "out\n"+strings.Repeat("x", 1<<20), stdout)
			assert.Equal(t, "err\n", stderr)
		})
	}
}

// The SDK takes a cut frame for the end of the output. Copy writes no part of such a frame: a replay of the log brings all
// of it.
func TestCopyFailsInsideACutFrame(t *testing.T) {
	for after, want := range map[int]string{3: "", 8: "", 12: "", 17: "some text"} {
		engine, client := connect(t)
		engine.On(fakeengine.Attach, fakeengine.Cut(after))
		engine.SetProgram(func(p *fakeengine.Process) int { p.Stdout.Write([]byte("some text")); return 0 })
		id := create(t, client)
		attached, err := client.Attach(t.Context(), id, nil)
		require.NoError(t, err)
		require.NoError(t, client.Start(t.Context(), id))
		stdout, _, err := output(t, attached)
		assert.Equal(t, want, stdout)
		if after < 17 {
			assert.ErrorContains(t, err, "reading the container's output: ")
		} else {
			assert.NoError(t, err)
		}
	}
}

func TestCloseEndsACopy(t *testing.T) {
	engine, client := connect(t)
	engine.SetProgram(fakeengine.Serve(0))
	id := create(t, client)
	attached, err := client.Attach(t.Context(), id, nil)
	require.NoError(t, err)
	require.NoError(t, client.Start(t.Context(), id))
	logs, err := client.FollowLog(t.Context(), id, &docker.LogPosition{})
	require.NoError(t, err)
	for _, o := range []*docker.Output{attached, logs} {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			output(t, o)
		}()
		o.Close()
		o.Close() // a second Close is allowed
		<-ended
	}
}

func TestAttachEndsWithItsContext(t *testing.T) {
	engine, client := connect(t)
	id := create(t, client)
	ctx, cancel := context.WithCancelCause(t.Context())
	engine.On(fakeengine.Attach, fakeengine.Before(func() { cancel(context.DeadlineExceeded) }))
	engine.On(fakeengine.Attach, fakeengine.Hang())
	_, err := client.Attach(ctx, id, nil)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestAttachOutlivesItsContext(t *testing.T) {
	engine, client := connect(t)
	engine.SetProgram(func(p *fakeengine.Process) int { p.Stdout.Write([]byte("later")); return 0 })
	id := create(t, client)
	ctx, cancel := context.WithCancel(t.Context())
	attached, err := client.Attach(ctx, id, nil)
	require.NoError(t, err)
	cancel()
	require.NoError(t, client.Start(t.Context(), id))
	stdout, _, err := output(t, attached)
	require.NoError(t, err)
	assert.Equal(t, "later", stdout)
}

func TestAttachToAMissingContainerSaysSo(t *testing.T) {
	_, client := connect(t)
	_, err := client.Attach(t.Context(), "one", nil)
	assert.ErrorContains(t, err, `attaching to container "one": `)
	assert.ErrorIs(t, err, docker.ErrNoContainer)
}

// The SDK only says "unable to upgrade to tcp, received 409".
func TestARefusedAttachGivesTheEnginesReason(t *testing.T) {
	const reason = "can only attach to created or running containers: container state improper"
	engine, client := connect(t, fakeengine.Podman())
	id := create(t, client)
	for name, answer := range map[string]fakeengine.Fault{
		"docker": fakeengine.Fail(http.StatusConflict, reason),
		"podman": fakeengine.Answer(http.StatusConflict, `{"cause":"container state improper","message":"`+reason+`","response":409}`),
	} {
		engine.On(fakeengine.Attach, fakeengine.Once(answer))
		_, err := client.Attach(t.Context(), id, nil)
		assert.EqualError(t, err, `attaching to container "`+id+`": error response from the engine: 409 Conflict: `+reason, name)
		assert.NotErrorIs(t, err, docker.ErrNoContainer)
	}
}

func TestAttachErrorNamesTheContainer(t *testing.T) {
	engine, client := connect(t)
	id := create(t, client)
	engine.On(fakeengine.Attach, fakeengine.Fail(http.StatusInternalServerError, "no"))
	_, err := client.Attach(t.Context(), id, nil)
	assert.ErrorContains(t, err, `attaching to container "`+id)
	assert.NotErrorIs(t, err, docker.ErrNoContainer)
}

func TestFollowLogFromAPosition(t *testing.T) {
	engine, client := connect(t)
	between := make(chan time.Time, 1)
	engine.SetProgram(func(p *fakeengine.Process) int {
		p.Stdout.Write([]byte("before\n"))
		now := time.Now()
		for !time.Now().After(now) {
		}
		between <- time.Now()
		p.Stderr.Write([]byte("after\n"))
		return 0
	})
	id := create(t, client)
	require.NoError(t, client.Start(t.Context(), id))
	since := <-between
	all, err := client.FollowLog(t.Context(), id, &docker.LogPosition{})
	require.NoError(t, err)
	stdout, stderr, err := output(t, all)
	require.NoError(t, err)
	assert.Equal(t, []string{"before\n", "after\n"}, []string{stdout, stderr})
	position := docker.LogPositionAt(since, since)
	rest, err := client.FollowLog(t.Context(), id, &position)
	require.NoError(t, err)
	stdout, stderr, err = output(t, rest)
	require.NoError(t, err)
	assert.Equal(t, []string{"", "after\n"}, []string{stdout, stderr})
}

func TestWaitReturnsTheNextExit(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine, client := connect(t, flavour...)
			engine.SetProgram(func(*fakeengine.Process) int { return 7 })
			id := create(t, client)
			exits, err := client.Wait(t.Context(), id)
			require.NoError(t, err)
			assert.Equal(t, "next-exit", engine.Calls(fakeengine.Wait)[0].Query.Get("condition"))
			require.NoError(t, client.Start(t.Context(), id))
			assert.Equal(t, docker.Exit{Code: 7}, <-exits)

			ended, err := client.WaitEnded(t.Context(), id)
			require.NoError(t, err)
			assert.Equal(t, docker.Exit{Code: 7}, <-ended, "at once")
		})
	}
}

// So a wait's result does not prove that the container ran.
func TestWaitReturnsZeroForAContainerThatNeverRan(t *testing.T) {
	engine, client := connect(t)
	id := create(t, client)
	exits, err := client.Wait(t.Context(), id)
	require.NoError(t, err)
	engine.RemoveContainer("one")
	assert.Equal(t, docker.Exit{}, <-exits)
}

func TestLostWaitIsAnError(t *testing.T) {
	engine, client := connect(t)
	engine.SetProgram(fakeengine.Serve(0))
	id := create(t, client)
	exits, err := client.Wait(t.Context(), id)
	require.NoError(t, err)
	require.NoError(t, client.Start(t.Context(), id))
	engine.Disconnect(fakeengine.Wait)
	exit := <-exits
	assert.ErrorContains(t, exit.Err, `waiting for container "`+id)

	engine.On(fakeengine.Wait, fakeengine.Once(fakeengine.Answer(http.StatusOK, `{"StatusCode":0,"Error":{"Message":"lost track"}}`)))
	exits, err = client.Wait(t.Context(), id)
	require.NoError(t, err)
	assert.ErrorContains(t, (<-exits).Err, "lost track")

	ctx, cancel := context.WithCancel(t.Context())
	exits, err = client.Wait(ctx, id)
	require.NoError(t, err)
	cancel()
	assert.ErrorIs(t, (<-exits).Err, context.Canceled)
}
