package imagebuild_test

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/test/fakeengine"
)

// awaitLine waits until a builder has written text, and reports whether it has within a minute.
func (b *builder) awaitLine(text string) bool {
	for late := time.After(time.Minute); ; {
		select {
		case <-late:
			return false
		case <-time.After(time.Millisecond):
			if strings.Contains(b.output.String(), text) {
				return true
			}
		}
	}
}

// Each phase takes until the builder has said that it is still in it.
func TestSilenceEndsWithALineThatSaysWhatIsWaitedFor(t *testing.T) {
	engine := fakeengine.New(t)
	engine.AddImage(runtimeImage)
	engine.Publish(builderImage)
	leader, follower := newBuilder(t, engine), newBuilder(t, engine)
	for _, b := range []*builder{leader, follower} {
		b.Limits.Summarize, b.Periods.Silence = true, 20*time.Millisecond
	}
	follower.Log = follower.Log.With("label", "follower")
	followed := make(chan error, 1)
	engine.On(fakeengine.Pull, fakeengine.Before(func() { assert.True(t, leader.awaitLine("still pulling an image: for=")) }))
	engine.On(fakeengine.Load, fakeengine.Once(fakeengine.Before(func() { assert.True(t, leader.awaitLine("still making the image: for=")) })))
	engine.SetProgram(func(p *fakeengine.Process) int {
		p.Stdout.Write([]byte("compiling\n"))
		assert.True(t, leader.awaitLine(" output_lines=1 last_line=compiling"))
		go func() {
			_, err := follower.build(t.Context(), t)
			followed <- err
		}()
		assert.True(t, follower.awaitLine("still waiting for another builder: label=follower for="))
		return compile(p)
	})
	_, err := leader.build(t.Context(), t)
	require.NoError(t, err)
	require.NoError(t, <-followed)

	phases := fmt.Sprint(leader.Phases()...)
	for _, key := range []string{"pulling", "building", "making_image"} {
		assert.Contains(t, phases, key)
	}
	assert.NotContains(t, phases, "waiting", "what took no time is left out")
	assert.Contains(t, fmt.Sprint(follower.Phases()...), "waiting_for_other_builder")
}

func TestNoHeartbeatWhileLinesAreWritten(t *testing.T) {
	engine := newEngine(t)
	b := newBuilder(t, engine)
	b.Periods.Silence = time.Microsecond
	asked := make(chan struct{}, 1)
	b.LastWrite = func() time.Time {
		select {
		case asked <- struct{}{}:
		default:
		}
		return time.Now()
	}
	engine.SetProgram(func(p *fakeengine.Process) int {
		for range 10 {
			<-asked
		}
		return compile(p)
	})
	_, err := b.build(t.Context(), t)
	require.NoError(t, err)
	assert.NotContains(t, b.output.String(), "still ")
}

// The last words of a build that a signal or its time-out ends say what it was doing.
func TestAStoppedBuildShowsWhatItPrintedLast(t *testing.T) {
	engine := newEngine(t)
	b := newBuilder(t, engine)
	b.Limits.Summarize, b.Periods.Output = true, time.Hour
	ctx, cancel := context.WithCancelCause(t.Context())
	engine.SetProgram(func(p *fakeengine.Process) int {
		engine.Await(t, fakeengine.Logs, 1) // the next read would come in an hour
		p.Stdout.Write([]byte("resolving example.com/slow\n"))
		cancel(cli.Stopped{Signal: syscall.SIGTERM})
		<-p.Killed
		return 137
	})
	_, err := b.build(ctx, t)
	require.ErrorContains(t, err, "stopped by signal")
	assert.Contains(t, b.output.String(), "basic_1.0 | resolving example.com/slow\n")
}
