package docker_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/test/fakeengine"
)

func TestAttachBeforeTheStartDeliversEverything(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine, client := connect(t, flavour...)
			engine.SetProgram(func(p *fakeengine.Process) int { // dies at once
				p.Stdout.Write([]byte("out\n"))
				p.Stderr.Write([]byte("err\n"))
				p.Stdout.Write([]byte(strings.Repeat("x", 1<<20)))
				return 0
			})
			id := claim(t, client)
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

// The SDK's own copying takes a frame that was cut for the end. What has come of it is not handed on: a replay of the
// log brings the whole frame.
func TestAnOutputThatEndsInsideAFrameWasCut(t *testing.T) {
	for after, want := range map[int]string{3: "", 8: "", 12: "", 17: "some text"} {
		engine, client := connect(t)
		engine.On(fakeengine.Attach, fakeengine.Cut(after))
		engine.SetProgram(func(p *fakeengine.Process) int { p.Stdout.Write([]byte("some text")); return 0 })
		id := claim(t, client)
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
	id := claim(t, client)
	attached, err := client.Attach(t.Context(), id, nil)
	require.NoError(t, err)
	require.NoError(t, client.Start(t.Context(), id))
	logs, err := client.Logs(t.Context(), id, time.Time{})
	require.NoError(t, err)
	for _, o := range []*docker.Output{attached, logs} {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			output(t, o)
		}()
		o.Close()
		o.Close() // more than once is fine
		<-ended
	}
}

// A connection that is handed over to a stream forgets its context in the SDK.
func TestAttachIsBounded(t *testing.T) {
	engine, client := connect(t)
	id := claim(t, client)
	ctx, cancel := context.WithCancelCause(t.Context())
	engine.On(fakeengine.Attach, fakeengine.Before(func() { cancel(context.DeadlineExceeded) }))
	engine.On(fakeengine.Attach, fakeengine.Hang())
	_, err := client.Attach(ctx, id, nil)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestAttachOutlivesItsContext(t *testing.T) {
	engine, client := connect(t)
	engine.SetProgram(func(p *fakeengine.Process) int { p.Stdout.Write([]byte("later")); return 0 })
	id := claim(t, client)
	ctx, cancel := context.WithCancel(t.Context())
	attached, err := client.Attach(ctx, id, nil)
	require.NoError(t, err)
	cancel()
	require.NoError(t, client.Start(t.Context(), id))
	stdout, _, err := output(t, attached)
	require.NoError(t, err)
	assert.Equal(t, "later", stdout)
}

// The SDK loses the class of an attach that is refused.
func TestAttachToWhatIsGoneIsNotFound(t *testing.T) {
	_, client := connect(t)
	_, err := client.Attach(t.Context(), "one", nil)
	assert.ErrorContains(t, err, `attaching to container "one": `)
	assert.True(t, errdefs.IsNotFound(err), "%v", err)
}

func TestAttachThatIsRefusedNamesTheContainer(t *testing.T) {
	engine, client := connect(t)
	id := claim(t, client)
	engine.On(fakeengine.Attach, fakeengine.Fail(http.StatusInternalServerError, "no"))
	_, err := client.Attach(t.Context(), id, nil)
	assert.ErrorContains(t, err, `attaching to container "`+id)
	assert.False(t, errdefs.IsNotFound(err))
}

func TestLogsBeginWhereTheyAreAskedTo(t *testing.T) {
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
	id := claim(t, client)
	require.NoError(t, client.Start(t.Context(), id))
	since := <-between
	all, err := client.Logs(t.Context(), id, time.Time{})
	require.NoError(t, err)
	stdout, stderr, err := output(t, all)
	require.NoError(t, err)
	assert.Equal(t, []string{"before\n", "after\n"}, []string{stdout, stderr})
	rest, err := client.Logs(t.Context(), id, since)
	require.NoError(t, err)
	stdout, stderr, err = output(t, rest)
	require.NoError(t, err)
	assert.Equal(t, []string{"", "after\n"}, []string{stdout, stderr})
}

func TestWaitTellsTheNextEnd(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine, client := connect(t, flavour...)
			engine.SetProgram(func(*fakeengine.Process) int { return 7 })
			id := claim(t, client)
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

// Which is why a wait's answer alone proves nothing.
func TestWaitAnswersZeroForWhatNeverRan(t *testing.T) {
	engine, client := connect(t)
	id := claim(t, client)
	exits, err := client.Wait(t.Context(), id)
	require.NoError(t, err)
	engine.RemoveContainer("one")
	assert.Equal(t, docker.Exit{}, <-exits)
}

func TestAWaitThatIsLostIsNoEnd(t *testing.T) {
	engine, client := connect(t)
	engine.SetProgram(fakeengine.Serve(0))
	id := claim(t, client)
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
