// SPDX-License-Identifier: Apache-2.0

package imagebuild_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
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

// A log says how far a long pull is.
func TestSilenceDuringAPullEndsWithItsBytes(t *testing.T) {
	engine := fakeengine.New(t)
	engine.AddImage(runtimeImage)
	engine.SetProgram(compile)
	b := newBuilder(t, engine)
	b.Periods.Silence = 20 * time.Millisecond
	engine.On(fakeengine.Pull, fakeengine.Stream(func(answer io.Writer, _ <-chan struct{}) {
		io.WriteString(answer, `{"status":"Downloading","progressDetail":{"current":120000000,"total":310000000},"id":"aaaa"}`)
		assert.True(t, b.awaitLine(` image=`+builderImage.Name+` progress="0 of 1 layers, 120 of 310 MB"`), b.output.String())
		engine.AddImage(builderImage)
	}))
	_, err := b.build(t.Context(), t)
	require.NoError(t, err)
}

// A terminal has a status line in place of the heartbeat, and nothing of it is left in the end.
func TestTheStatusLineReplacesTheHeartbeat(t *testing.T) {
	for name, do := range map[string]func(b *builder) error{
		"build": func(b *builder) error { _, err := b.build(t.Context(), t); return err },
		"anew":  func(b *builder) error { return b.Anew(t.Context(), plan, newPackage(t), "basic_1.0") },
		"warm":  func(b *builder) error { return b.Warm(t.Context(), plan, newPackage(t), "basic_1.0") },
	} {
		t.Run(name, func(t *testing.T) {
			engine := newEngine(t)
			b := newBuilder(t, engine)
			b.Periods.Silence, b.Periods.Redraw = time.Microsecond, time.Millisecond
			var mu sync.Mutex
			var last string
			shown := map[string]bool{}
			b.Status = func(text string) {
				mu.Lock()
				defer mu.Unlock()
				last = text
				if doing, _, found := strings.Cut(text, ","); found {
					shown[doing] = true
				}
			}
			engine.SetProgram(func(p *fakeengine.Process) int {
				require.Eventually(t, func() bool {
					mu.Lock()
					defer mu.Unlock()
					return shown["basic_1.0 | building"]
				}, time.Minute, time.Millisecond)
				return compile(p)
			})
			require.NoError(t, do(b))
			assert.NotContains(t, b.output.String(), "still ")
			assert.Empty(t, last)
		})
	}
}

// build --anew says what it waits for, and sums up what it has printed, as any build.
func TestAnewSaysWhatItIsDoing(t *testing.T) {
	engine := newEngine(t)
	b := newBuilder(t, engine)
	b.Limits.Summarize, b.Periods.Silence = true, 20*time.Millisecond
	engine.SetProgram(func(p *fakeengine.Process) int {
		p.Stdout.Write([]byte("compiling\n"))
		assert.True(t, b.awaitLine("still building: for="))
		<-time.After(20 * time.Millisecond) // a phase that takes less than 10 ms is left out
		return compile(p)
	})
	require.NoError(t, b.Anew(t.Context(), plan, newPackage(t), "basic_1.0"))
	assert.NotContains(t, b.output.String(), "| compiling", "summed up")
	assert.Contains(t, b.output.String(), "the code is built: took=")
	assert.Contains(t, fmt.Sprint(b.Phases()...), "building")
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
