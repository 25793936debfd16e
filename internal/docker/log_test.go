// SPDX-License-Identifier: Apache-2.0

package docker_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/test/fakeengine"
)

// collected is what was delivered of two streams.
type collected struct{ stdout, stderr bytes.Buffer }

func (c *collected) deliver(piece docker.LogPiece) error {
	if piece.Stderr {
		c.stderr.Write(piece.Data)
	} else {
		c.stdout.Write(piece.Data)
	}
	return nil
}

// printer runs a program that prints what it is told to, until the channel is closed.
func printer(t *testing.T, engine *fakeengine.Engine, client *docker.Engine) (id string, print func(stdout, stderr string)) {
	t.Helper()
	type text struct{ stdout, stderr string }
	texts, printed := make(chan text), make(chan struct{})
	engine.SetProgram(func(p *fakeengine.Process) int {
		for {
			select {
			case <-p.Killed:
				return 0
			case next := <-texts:
				p.Stdout.Write([]byte(next.stdout))
				p.Stderr.Write([]byte(next.stderr))
				printed <- struct{}{}
			}
		}
	})
	id = create(t, client)
	require.NoError(t, client.Start(t.Context(), id))
	return id, func(stdout, stderr string) {
		texts <- text{stdout, stderr}
		<-printed
	}
}

// randomLines returns lines of which many are equal, and some are longer than a piece of the log.
func randomLines(random *rand.Rand) string {
	var text strings.Builder
	for range random.IntN(40) {
		switch random.IntN(12) {
		case 0:
			text.WriteString(strings.Repeat("x", random.IntN(60_000)))
		case 1:
			fmt.Fprintf(&text, "line %d", random.IntN(3))
		case 2:
		default:
			text.WriteString("the same line")
		}
		text.WriteString("\n")
	}
	return text.String()
}

// No line is lost and none is doubled, whenever the reads happen, and whenever they are cut.
func TestReadLogDeliversEachPieceOnce(t *testing.T) {
	for name, flavour := range flavours {
		for _, seed := range []uint64{1, 2, 3, uint64(time.Now().UnixNano())} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				t.Logf("seed %d", seed)
				random := rand.New(rand.NewPCG(seed, 0))
				engine, client := connect(t, flavour...)
				cut := 0
				engine.On(fakeengine.Logs, func(c *fakeengine.Call) {
					if cut > 0 {
						fakeengine.Cut(cut)(c)
						return
					}
					c.Pass()
				})
				id, print := printer(t, engine, client)
				var position docker.LogPosition
				var got, want collected
				for range 25 {
					stdout, stderr := randomLines(random), randomLines(random)
					print(stdout, stderr)
					want.stdout.WriteString(stdout)
					want.stderr.WriteString(stderr)
					cut = max(0, random.IntN(300_000)-100_000)
					complete, err := client.ReadLog(t.Context(), id, &position, got.deliver)
					if err == nil {
						assert.True(t, complete)
					}
				}
				cut = 0
				_, err := client.ReadLog(t.Context(), id, &position, got.deliver)
				require.NoError(t, err)
				assert.Equal(t, want.stdout.String() == got.stdout.String(), true, "stdout")
				assert.Equal(t, want.stderr.String() == got.stderr.String(), true, "stderr")
			})
		}
	}
}

// A read must not cost the engine more than what is new, however long the log is.
func TestReadLogAsksForTheTail(t *testing.T) {
	engine, client := connect(t)
	id, print := printer(t, engine, client)
	print(strings.Repeat("line\n", 20_000), "")
	var position docker.LogPosition
	var got collected
	read := func() (tails []string) {
		before := len(engine.Calls(fakeengine.Logs))
		complete, err := client.ReadLog(t.Context(), id, &position, got.deliver)
		require.NoError(t, err)
		assert.True(t, complete)
		for _, call := range engine.Calls(fakeengine.Logs)[before:] {
			tails = append(tails, call.Query.Get("tail"))
		}
		return tails
	}
	assert.Equal(t, []string{"all"}, read())
	assert.Equal(t, []string{"500"}, read())
	print(strings.Repeat("line\n", 499), "")
	assert.Equal(t, []string{"500"}, read())
	print(strings.Repeat("line\n", 500), "")
	assert.Equal(t, []string{"500", "10000"}, read())
	print(strings.Repeat("line\n", 10_000), "")
	assert.Equal(t, []string{"500", "10000", "all"}, read())
	assert.Equal(t, 30_999, strings.Count(got.stdout.String(), "line\n"))
}

// What the log no longer holds cannot be delivered, but it is noticed.
func TestReadLogNoticesWhatIsMissing(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine, client := connect(t, flavour...)
			id, print := printer(t, engine, client)
			var position docker.LogPosition
			var got collected
			read := func(want bool) {
				t.Helper()
				complete, err := client.ReadLog(t.Context(), id, &position, got.deliver)
				require.NoError(t, err)
				assert.Equal(t, want, complete)
			}
			print("1\n2\n", "error 1\n")
			read(true)
			print("3\n4\n", "error 2\n")
			engine.Rotate("one", 4) // error 1, 3, 4, error 2: nothing is lost
			read(true)
			assert.Equal(t, "1\n2\n3\n4\n", got.stdout.String())
			print("5\n6\n7\n", "")
			engine.Rotate("one", 2)
			read(false)
			assert.Equal(t, "1\n2\n3\n4\n6\n7\n", got.stdout.String())
			assert.Equal(t, "error 1\nerror 2\n", got.stderr.String())
			read(true)
			engine.Rotate("one", 0)
			read(false)
			assert.Equal(t, "1\n2\n3\n4\n6\n7\n", got.stdout.String())
		})
	}
}

func TestReadLogFromATime(t *testing.T) {
	engine, client := connect(t)
	engine.SetSkew(time.Hour)
	id, print := printer(t, engine, client)
	print("before\n", "before\n")
	<-time.After(time.Millisecond)
	now := time.Now().Add(time.Hour)
	position := docker.LogPositionAt(now, now)
	print("after\n", "after\n")
	var got collected
	complete, err := client.ReadLog(t.Context(), id, &position, got.deliver)
	require.NoError(t, err)
	assert.True(t, complete)
	assert.Equal(t, "after\n", got.stdout.String())
	assert.Equal(t, "after\n", got.stderr.String())
}

// An engine that rotates the log sends again what a following client has seen. After the end, a read brings what is left.
func TestFollowLogDropsWhatComesTwice(t *testing.T) {
	for name, flavour := range flavours {
		if name == "podman" {
			continue // the fake engine's guess: its stamps could not tell
		}
		t.Run(name, func(t *testing.T) {
			engine, client := connect(t, flavour...)
			random := rand.New(rand.NewPCG(1, 0))
			var want, got collected
			engine.SetProgram(func(p *fakeengine.Process) int {
				for i := range 20 {
					stdout, stderr := randomLines(random), fmt.Sprintf("error %d\n", i)
					p.Stdout.Write([]byte(stdout))
					p.Stderr.Write([]byte(stderr))
					want.stdout.WriteString(stdout)
					want.stderr.WriteString(stderr)
					<-time.After(2 * time.Millisecond)
					engine.Rotate("one", 1000)
				}
				return 0
			})
			id := create(t, client)
			require.NoError(t, client.Start(t.Context(), id))
			var position docker.LogPosition
			output, err := client.FollowLog(t.Context(), id, &position)
			require.NoError(t, err)
			require.NoError(t, output.Copy(&got.stdout, &got.stderr))
			output.Close()
			complete, err := client.ReadLog(t.Context(), id, &position, got.deliver)
			require.NoError(t, err)
			assert.True(t, complete)
			assert.Equal(t, want.stdout.String() == got.stdout.String(), true)
			assert.Equal(t, want.stderr.String(), got.stderr.String())
		})
	}
}

func TestFollowLogResumesAfterACut(t *testing.T) {
	engine, client := connect(t)
	id, print := printer(t, engine, client)
	print("1\n2\n", "error\n")
	engine.On(fakeengine.Logs, fakeengine.Once(fakeengine.Cut(100)))
	var position docker.LogPosition
	var got collected
	output, err := client.FollowLog(t.Context(), id, &position)
	require.NoError(t, err)
	require.Error(t, output.Copy(&got.stdout, &got.stderr))
	output.Close()
	print("2\n", "")
	output, err = client.FollowLog(t.Context(), id, &position)
	require.NoError(t, err)
	defer output.Close()
	require.NoError(t, client.Stop(t.Context(), id, 0))
	require.NoError(t, output.Copy(&got.stdout, &got.stderr))
	assert.Equal(t, "1\n2\n2\n", got.stdout.String())
	assert.Equal(t, "error\n", got.stderr.String())
}

// A damaged stream must not make the program allocate what a header promises.
func TestAnInvalidFrameIsAnError(t *testing.T) {
	for name, frame := range map[string]string{
		"4 GB":            "\x01\x00\x00\x00\xff\xff\xff\xff",
		"unknown stream":  "\x09\x00\x00\x00\x00\x00\x00\x01x",
		"engine's error":  "\x03\x00\x00\x00\x00\x00\x00\x02no",
		"cut in a header": "\x01\x00\x00",
		"cut in a frame":  "\x01\x00\x00\x00\x00\x00\x00\x02x",
		"without a stamp": "\x01\x00\x00\x00\x00\x00\x00\x02x\n",
	} {
		t.Run(name, func(t *testing.T) {
			engine, client := connect(t)
			id := create(t, client)
			engine.On(fakeengine.Logs, fakeengine.Answer(http.StatusOK, frame))
			followed, err := client.FollowLog(t.Context(), id, &docker.LogPosition{})
			require.NoError(t, err)
			_, _, err = output(t, followed)
			assert.ErrorContains(t, err, "reading the container's output: ")
			var position docker.LogPosition
			var got collected
			_, err = client.ReadLog(t.Context(), id, &position, got.deliver)
			assert.ErrorContains(t, err, "reading the container's output: ")
		})
	}
}

func TestReadLogEndsWithItsContext(t *testing.T) {
	engine, client := connect(t)
	id := create(t, client)
	ctx, cancel := context.WithCancelCause(t.Context())
	engine.On(fakeengine.Logs, fakeengine.Before(func() { cancel(context.DeadlineExceeded) }))
	engine.On(fakeengine.Logs, fakeengine.Hang())
	var position docker.LogPosition
	var got collected
	_, err := client.ReadLog(ctx, id, &position, got.deliver)
	assert.Error(t, err)
}
