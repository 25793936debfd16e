// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/loglines"
	"fabric-builder-docker/test/fakeengine"
)

func TestASignalBeforeTheStartLeavesNoContainer(t *testing.T) {
	for _, route := range append(routesToStart(false), fakeengine.Ping, fakeengine.Create) {
		for name, fault := range map[string]func(func()) fakeengine.Fault{"before": fakeengine.Before, "after": fakeengine.After} {
			if name == "after" && (route == fakeengine.Attach || route == fakeengine.Wait) {
				continue // the fake engine answers them only when the container has ended
			}
			t.Run(string(route)+" "+name, func(t *testing.T) {
				t.Parallel()
				r := newRunner(t).withTLS()
				r.record.TLSByInput = route != fakeengine.Upload
				r.engine.SetProgram(fakeengine.Serve(143))
				ctx, cancel := context.WithCancelCause(t.Context())
				r.engine.On(route, fakeengine.Once(fault(func() { cancel(sigterm) })))
				status, _ := r.run(ctx, t)
				assert.Equal(t, 143, status)
				r.assertLastLine(t, "[INFO]", "stopped", "terminated")
				r.assertNothingLeft(t)
			})
		}
	}
}

func TestASignalInterruptsAStartThatHangs(t *testing.T) {
	for _, route := range append(routesToStart(false), fakeengine.Ping) {
		t.Run(string(route), func(t *testing.T) {
			t.Parallel()
			r := newRunner(t).withTLS()
			r.record.TLSByInput = route != fakeengine.Upload
			ctx, cancel := context.WithCancelCause(t.Context())
			r.engine.On(route, fakeengine.Before(func() { cancel(sigterm) }))
			r.engine.On(route, fakeengine.Hang())
			status, _ := r.run(ctx, t)
			assert.Equal(t, 143, status)
			r.assertNothingLeft(t)
		})
	}
}

// On a busy engine a chaincode registers with the peer before the engine has answered the start.
func TestASignalStopsAChaincodeWhoseStartIsNotAnswered(t *testing.T) {
	for name, fault := range map[string]fakeengine.Fault{"late": fakeengine.After(func() { <-time.After(500 * time.Millisecond) }), "never": fakeengine.NoAnswer()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRunner(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			r.engine.SetProgram(func(p *fakeengine.Process) int {
				cancel(sigterm)
				<-p.Stop
				p.Stdout.Write([]byte("last words\n"))
				return 2
			})
			r.engine.On(fakeengine.Start, fault)
			status, _ := r.run(ctx, t)
			assert.Equal(t, 2, status)
			assert.Equal(t, "last words\n", r.printed())
			r.assertLastLine(t, "[INFO]", "the chaincode was stopped", "terminated")
			assert.NotEqual(t, "0", r.engine.Calls(fakeengine.Stop)[0].Query.Get("t"), "it has some grace")
			r.assertNothingLeft(t)
		})
	}
}

// An engine that is busy with other I/O may report an exit seconds before it answers a stop.
func TestWhatHasEndedIsRemovedWithoutTheAnswerToTheStop(t *testing.T) {
	r := newRunner(t)
	r.engine.SetProgram(fakeengine.Serve(3))
	r.engine.On(fakeengine.Stop, fakeengine.NoAnswer())
	r.engine.On(fakeengine.Inspect, fakeengine.Hang())
	stop, _ := r.start(t)
	r.awaitRunning(t)
	status, _ := stop()
	assert.Equal(t, 3, status)
	r.assertLastLine(t, "[INFO]", "the chaincode was stopped")
	r.assertNothingLeft(t)
}

// Nothing else tells an operator which container is still there.
func TestAContainerThatIsNotRemovedInTimeIsNamed(t *testing.T) {
	r := newRunner(t)
	r.engine.SetProgram(fakeengine.Serve(3))
	r.engine.On(fakeengine.Remove, fakeengine.Hang())
	stop, _ := r.start(t)
	r.awaitRunning(t)
	status, _ := stop()
	assert.Equal(t, 3, status)
	r.assertLastLine(t, "[WARN]", "its container was not removed in time", "the next run", r.name(), r.engine.Containers()[0].ID)
}

// A signal also bounds what is under way at the end of a chaincode.
func TestASignalEndsTheLookAtAnEndedContainer(t *testing.T) {
	r := newRunner(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	r.engine.SetProgram(prints("bye\n", 3))
	r.engine.On(fakeengine.Inspect, fakeengine.Before(func() { cancel(sigterm) }))
	r.engine.On(fakeengine.Inspect, fakeengine.Hang())
	began := time.Now()
	status, _ := r.run(ctx, t)
	assert.Equal(t, 3, status)
	assert.Less(t, time.Since(began), 20*time.Second, "not the call's own 30 s")
}

func TestASignalStopsTheChaincode(t *testing.T) {
	tests := map[string]struct {
		program fakeengine.Program
		status  int
	}{
		"that exits":      {func(p *fakeengine.Process) int { <-p.Stop; p.Stdout.Write([]byte("last words\n")); return 2 }, 2},
		"that ignores it": {func(p *fakeengine.Process) int { p.Stdout.Write([]byte("last words\n")); <-p.Killed; return 0 }, 137},
	}
	for flavour, options := range flavours {
		for name, test := range tests {
			t.Run(flavour+" "+name, func(t *testing.T) {
				t.Parallel()
				r := newRunner(t, options...)
				r.engine.SetProgram(test.program)
				stop, _ := r.start(t)
				r.awaitRunning(t)
				status, _ := stop()
				assert.Contains(t, []int{test.status, 143}, status)
				r.assertLastLine(t, "[INFO]", "stopped", "terminated")
				r.assertNothingLeft(t)
			})
		}
	}
}

// A wait that fails because of the signal is not a lost connection, and the last output still arrives. Whether run sees
// the signal or the failed wait first is random, hence the repeats.
func TestASignalIsNotMistakenForALostConnection(t *testing.T) {
	arrived := 0
	for range 20 {
		r := newRunner(t)
		r.engine.SetProgram(func(p *fakeengine.Process) int { <-p.Stop; p.Stdout.Write([]byte("last words\n")); return 143 })
		client := r.connect(t)
		l := r.launchOn(client)
		id, _, err := client.CreateOrInspect(t.Context(), docker.Spec{Name: l.containerName(), Image: imageName, Command: []string{"chaincode"}})
		require.NoError(t, err)
		s, err := l.open(t.Context(), id, nil)
		require.NoError(t, err)
		require.NoError(t, client.Start(t.Context(), id))

		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(sigterm)
		exits := make(chan docker.Exit, 1)
		exits <- docker.Exit{Err: context.Canceled}
		s.exits = exits
		e, err := l.awaitEnd(ctx, s)
		require.NoError(t, err)
		assert.Equal(t, 143, e.status)
		assert.NotContains(t, r.output.String(), "lost the connection to the container")
		if strings.Contains(r.output.String(), "last words") {
			arrived++
		} else { // on a busy machine the time may be too short, but then run says so
			assert.Contains(t, r.output.String(), "the end of the chaincode's output did not arrive")
		}
	}
	assert.Positive(t, arrived)
}

func TestASignalRemovesTheContainerEvenIfTheStopFails(t *testing.T) {
	for name, fault := range map[string]fakeengine.Fault{"fails": fakeengine.Fail(500, "no"), "hangs": fakeengine.Hang(), "drops": fakeengine.Drop()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRunner(t)
			r.engine.SetProgram(fakeengine.Serve(0))
			r.engine.On(fakeengine.Stop, fault)
			stop, _ := r.start(t)
			r.awaitRunning(t)
			stop()
			r.assertNothingLeft(t)
		})
	}
}

// A peer that was killed leaves a pipe that nobody reads. The container must still be removed.
func TestASignalRemovesTheContainerEvenIfNobodyReadsStderr(t *testing.T) {
	r := newRunner(t)
	flooded := make(chan struct{})
	r.engine.SetProgram(func(p *fakeengine.Process) int {
		for range 2000 {
			p.Stdout.Write(make([]byte, 1000))
			p.Stdout.Write([]byte("\n"))
		}
		close(flooded)
		return p.Serve(0)
	})
	pipe := make(stuckPipe)
	defer close(pipe)
	lines := loglines.NewQueue(pipe, 20*time.Millisecond)
	ctx, cancel := context.WithCancelCause(t.Context())
	process := r.process(t)
	process.Stderr, process.Log = lines, cli.NewLogger("run", lines)
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, process) }()
	<-flooded
	cancel(sigterm)
	<-ended
	r.assertNothingLeft(t)
}

// stuckPipe is a pipe that nobody reads until it is closed.
type stuckPipe chan struct{}

func (s stuckPipe) Write(p []byte) (int, error) {
	<-s
	return len(p), nil
}
