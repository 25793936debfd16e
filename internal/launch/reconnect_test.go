package launch

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/test/fakeengine"
)

// lines returns numbered lines, so that a lost or repeated one shows.
func lines(from, to int) string {
	var text strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&text, "line %d of the chaincode\n", i)
	}
	return text.String()
}

func TestOutputResumesAfterACutWithoutLosingOrRepeatingBytes(t *testing.T) {
	for place, after := range map[string]int{
		"inside a frame": 8 + 1000, "between two frames": 8 + len(lines(0, 100)), "inside a header": 3, "before the first byte": 0,
	} {
		t.Run(place, func(t *testing.T) {
			t.Parallel()
			r := newRunner(t)
			r.engine.On(fakeengine.Attach, fakeengine.Cut(after))
			r.engine.SetProgram(func(p *fakeengine.Process) int {
				p.Stdout.Write([]byte(lines(0, 100)))
				p.Stdout.Write([]byte(lines(100, 200)))
				r.engine.Await(t, fakeengine.Logs, 1)
				p.Stdout.Write([]byte(lines(200, 300)))
				return 3
			})
			status, _ := r.run(t.Context(), t)
			assert.Equal(t, 3, status)
			assert.Equal(t, lines(0, 300), r.printed())
			r.assertLastLine(t, "the chaincode has ended", "exit_status=3")
			r.assertNothingLeft(t)
		})
	}
}

// The container exits before run can reconnect.
func TestOutputBetweenACutAndTheExitIsNotLost(t *testing.T) {
	for _, after := range []int{8 + 1000, 8 + len(lines(0, 100))} {
		t.Run(fmt.Sprint(after), func(t *testing.T) {
			t.Parallel()
			r := newRunner(t)
			r.engine.On(fakeengine.Attach, fakeengine.Cut(after))
			noticed := make(chan struct{})
			r.engine.SetProgram(func(p *fakeengine.Process) int {
				p.Stdout.Write([]byte(lines(0, 100)))
				select {
				case <-p.Killed:
				case <-noticed:
				}
				p.Stdout.Write([]byte(lines(100, 200)))
				return 0
			})
			client := r.connect(t)
			l := r.launchOn(client)
			id, _, err := client.CreateOrInspect(t.Context(), docker.Spec{Name: l.containerName(), Image: imageName, Command: []string{"chaincode"}})
			require.NoError(t, err)
			s, err := l.open(t.Context(), id, nil)
			require.NoError(t, err)
			require.NoError(t, client.Start(t.Context(), id))
			for range s.copied { // ends with the cut
			}
			<-time.After(2 * usualExitLag) // so that the exit is late enough for run to catch up
			close(noticed)
			_, err = l.awaitEnd(t.Context(), s)
			require.NoError(t, err)
			require.NoError(t, s.flush())
			assert.Equal(t, lines(0, 200), r.printed())
		})
	}
}

func TestALostWaitIsResumed(t *testing.T) {
	for flavour, options := range flavours {
		t.Run(flavour, func(t *testing.T) {
			t.Parallel()
			r := newRunner(t, options...)
			r.engine.SetProgram(func(p *fakeengine.Process) int {
				p.Stdout.Write([]byte(lines(0, 10)))
				r.engine.Disconnect(fakeengine.Wait)
				r.engine.Await(t, fakeengine.Wait, 2)
				p.Stdout.Write([]byte(lines(10, 20)))
				return 3
			})
			status, _ := r.run(t.Context(), t)
			assert.Equal(t, 3, status)
			assert.Equal(t, lines(0, 20), r.printed())
			assert.Contains(t, r.output.String(), "reconnected to the container")
			r.assertNothingLeft(t)
		})
	}
}

// With live restore, containers keep running while the engine restarts.
func TestRunWaitsForAnEngineThatRestarts(t *testing.T) {
	r := newRunner(t)
	r.engine.SetProgram(func(p *fakeengine.Process) int {
		p.Stdout.Write([]byte(lines(0, 10)))
		r.engine.On(fakeengine.Wait, fakeengine.Once(fakeengine.Drop()))
		r.engine.On(fakeengine.Logs, fakeengine.Once(fakeengine.Fail(http.StatusServiceUnavailable, "starting")))
		r.engine.Disconnect(fakeengine.Wait, fakeengine.Attach)
		p.Stdout.Write([]byte(lines(10, 20)))
		r.engine.Await(t, fakeengine.Wait, 2) // run has noticed
		return 3                              // while it is disconnected
	})
	status, _ := r.run(t.Context(), t)
	assert.Equal(t, 3, status)
	assert.Equal(t, lines(0, 20), r.printed())
	r.assertNothingLeft(t)
}

func TestAContainerRemovedWhileDisconnectedEndsTheRun(t *testing.T) {
	r := newRunner(t)
	r.engine.SetProgram(func(p *fakeengine.Process) int {
		r.engine.On(fakeengine.Wait, fakeengine.Before(func() { r.engine.RemoveContainer(p.Container.Name) }))
		r.engine.Disconnect(fakeengine.Wait, fakeengine.Attach)
		return p.Serve(0)
	})
	status, _ := r.run(t.Context(), t)
	assert.Equal(t, 1, status)
	r.assertLastLine(t, "[INFO]", "was removed")
	r.assertNothingLeft(t)
}

func TestASignalWhileDisconnectedRemovesTheContainer(t *testing.T) {
	r := newRunner(t)
	stopping := make(chan struct{})
	r.engine.SetProgram(func(p *fakeengine.Process) int {
		r.engine.On(fakeengine.Wait, fakeengine.Fail(http.StatusServiceUnavailable, "starting"))
		r.engine.Disconnect(fakeengine.Wait, fakeengine.Attach)
		r.engine.Await(t, fakeengine.Wait, 2)
		close(stopping)
		return p.Serve(0)
	})
	stop, _ := r.start(t)
	<-stopping
	stop()
	r.assertLastLine(t, "stopped")
	r.assertNothingLeft(t)
}
