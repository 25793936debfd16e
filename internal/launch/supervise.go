// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/docker"
)

// The peer kills run 5 s after SIGTERM, and whatever is not removed by then stays.
const (
	cleanupTime = 4500 * time.Millisecond // for everything that is left to do after a signal
	removeTime  = 2 * time.Second         // for removals after a build that a signal has stopped
	stopTime    = time.Second             // for an engine to notice the end of a container, beyond the chaincode's grace
)

const (
	drainTime       = 10 * time.Second       // for the last output of an exited container to arrive
	quickDrain      = 500 * time.Millisecond // the same after a signal
	maxExitLag      = 2 * time.Second        // for the engine to report the exit after the end of the output
	usualExitLag    = 300 * time.Millisecond // the same when nothing is wrong
	freeMemoryAfter = 10 * time.Second       // by then the launch is over, so that freeing memory does not slow it down
	reconnectTime   = 5 * time.Minute        // for an engine to restart
	reconnectWait   = time.Second            // between two attempts
	removeRetry     = 15 * time.Second       // for an engine to come back, so that a container can be removed
	removePause     = 200 * time.Millisecond // between two attempts
	takeOverTime    = 500 * time.Millisecond // for a later run to create its container, once it has removed this one
)

// lastSteps is the part of cleanupTime that a stop leaves for the last output and the removal.
const lastSteps = quickDrain + 500*time.Millisecond

// exitUnknown is run's exit status if the container was removed before its exit status could be read.
const exitUnknown = 1

// end describes how a container ended.
type end struct {
	status     int
	at         time.Time
	oomKilled  bool
	takenOver  bool   // a later run of this chaincode removed the container
	gone       bool   // the container was removed, by a later run or by hand
	kept       bool   // the container stays, for a look
	stopped    string // why this run stopped it; empty if it did not
	notStarted bool   // it was stopped before it ran
	removeErr  error  // why its container could not be removed in time
	hint       string // what may have been wrong, for an operator
}

// supervise forwards the chaincode's output until its container ends, and returns its exit status as a [cli.Status].
func (l *launch) supervise(ctx context.Context, s *session) error {
	defer func() { s.stopWait() }()                                // a reconnect has registered another wait
	freeing := time.AfterFunc(freeMemoryAfter, debug.FreeOSMemory) // a peer has one run per chaincode, and most of them only wait
	defer freeing.Stop()
	started := time.Now()
	e, err := l.awaitEnd(ctx, s)
	l.counts.countExit(e, err, l.timeLeft())
	if err != nil {
		return errors.Join(fmt.Errorf("supervising the chaincode: %w", err), s.flush())
	}
	if err := s.flush(); err != nil {
		return err
	}
	l.report(s.id, e, e.at.Sub(started))
	if e.status == 0 {
		return nil
	}
	return cli.Status(e.status)
}

// awaitEnd returns once the container has ended and is removed, or kept. If ctx ends first, it stops the container.
func (l *launch) awaitEnd(ctx context.Context, s *session) (end, error) {
	copied, lag := s.copied, (<-chan time.Time)(nil)
	for {
		select {
		case <-ctx.Done():
			return l.stop(ctx, s)
		case exit := <-s.exits:
			if exit.Err == nil {
				return l.onExit(ctx, s, exit.Code)
			}
			if ctx.Err() != nil { // the wait failed because of the signal
				return l.stop(ctx, s)
			}
			if err := l.reconnect(ctx, s, exit.Err); err != nil {
				return l.onLost(ctx, s, err)
			}
			copied, lag = s.copied, nil
		case err := <-copied: // the engine usually reports the exit at the same moment
			copied, lag = nil, time.After(maxExitLag)
			if err != nil {
				l.log.Debug("the container's output was cut off", "error", err)
			}
		case <-lag:
			if err := l.reconnect(ctx, s, errors.New("the output ended, but the container has not exited")); err != nil {
				return l.onLost(ctx, s, err)
			}
			copied, lag = s.copied, nil
		}
	}
}

// onLost handles a reconnect that failed with err: after a signal it stops the container as usual, otherwise it gives
// up.
func (l *launch) onLost(ctx context.Context, s *session, err error) (end, error) {
	switch {
	case ctx.Err() != nil:
		return l.stop(ctx, s)
	case errors.Is(err, docker.ErrNoContainer): // removed while run was not connected
		return end{status: exitUnknown, at: time.Now(), gone: true}, nil
	}
	return end{}, err
}

// reconnect retries until the engine answers again. It does not check whether the container still runs; the new
// session's wait reports that.
func (l *launch) reconnect(ctx context.Context, s *session, cause error) error {
	l.log.Warn("lost the connection to the container: reconnecting", "error", cause)
	s.close()
	deadline := time.Now().Add(reconnectTime)
	if time.Since(l.reconnected) < reconnectWait && !l.pause(ctx) { // an engine may answer, and fail at once
		return context.Cause(ctx)
	}
	for {
		err := l.resume(ctx, s)
		switch {
		case err == nil:
			l.log.Info("reconnected to the container")
			l.reconnected = time.Now()
			return nil
		case errors.Is(err, docker.ErrNoContainer), ctx.Err() != nil, time.Now().After(deadline):
			return err
		}
		if !l.pause(ctx) {
			return context.Cause(ctx)
		}
	}
}

// pause waits between two attempts to reconnect. It returns false if ctx ends.
func (l *launch) pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(reconnectWait):
		return true
	}
}

// onExit takes the last output of an exited container, reads how it ended, and removes it unless it is kept.
func (l *launch) onExit(ctx context.Context, s *session, code int) (end, error) {
	exited := time.Now()
	l.drain(ctx, s, drainTime)
	if s.cut || time.Since(s.copiedAt) > usualExitLag {
		l.catchUp(ctx, s)
	}
	e := end{status: code, at: exited}
	cleaning, cancel := l.cleanUp(ctx)
	defer cancel()
	container, err := l.engine.Inspect(cleaning, s.id)
	switch {
	case errors.Is(err, docker.ErrNoContainer):
		e.takenOver = l.awaitLaterRun(cleaning)
		e.gone = !e.takenOver
		return e, nil
	case err == nil && container.Name != l.containerName():
		e.takenOver = true // the later run removes it, unless it is stopped in between
	case err == nil && container.Ended():
		e.status, e.oomKilled = container.ExitCode, container.OOMKilled
		e.hint = l.hintOf(cleaning, s, container)
	}
	if e.kept = err == nil && l.isKept(container); e.kept {
		return e, nil
	}
	if err := l.retryRemove(cleaning, s.id); err != nil { // not returned: how the chaincode ended matters more
		l.log.Warn("cannot remove the container: the next run of this chaincode will remove it", "container_id", s.id, "error", err)
	}
	return e, nil
}

// awaitLaterRun reports whether a later run of this chaincode has removed the container: it creates its own right afterwards.
func (l *launch) awaitLaterRun(ctx context.Context) bool {
	for late := time.After(takeOverTime); ; {
		others, err := l.engine.List(ctx, l.identity())
		if slices.ContainsFunc(others, l.isLater) {
			return true
		}
		if err != nil {
			return false
		}
		select {
		case <-ctx.Done():
			return false
		case <-late:
			return false
		case <-time.After(takeOverTime / 10):
		}
	}
}

// catchUp reads what the chaincode printed between a lost connection and its exit.
func (l *launch) catchUp(ctx context.Context, s *session) {
	l.readLog(ctx, s)
	l.drain(ctx, s, drainTime)
	if s.cut {
		l.log.Warn("lost the last output of the chaincode")
	}
}

// drain waits up to limit for output that is still on its way, and closes the session. A signal shortens the wait to
// quickDrain.
func (l *launch) drain(ctx context.Context, s *session, limit time.Duration) {
	if s.finish != nil {
		s.finish()
	}
	signalled := ctx.Done()
	for late := time.After(limit); ; {
		select {
		case <-s.copied:
		case <-signalled:
			signalled, late = nil, time.After(quickDrain)
			continue
		case <-late:
			l.log.Warn("the end of the chaincode's output did not arrive")
		}
		s.close()
		return
	}
}

// report logs how the chaincode ended, as the last line: the peer logs nothing about a chaincode that ends after it was
// ready.
func (l *launch) report(id string, e end, lived time.Duration) {
	fields := []any{"exit_status", e.status, "lived", lived.Round(time.Millisecond)}
	if e.kept {
		fields = append(fields, "kept_container", l.containerName())
	}
	switch {
	case e.removeErr != nil:
		l.log.Warn("the chaincode was stopped, but its container was not removed in time: the next run of this chaincode removes it",
			append(fields, "reason", e.stopped, "container", l.containerName(), "container_id", id, "error", e.removeErr)...)
	case e.notStarted:
		l.log.Info("stopped before the chaincode started", "reason", e.stopped)
	case e.stopped != "":
		l.log.Info("the chaincode was stopped", append(fields, "reason", e.stopped)...)
	case e.takenOver:
		l.log.Info("a later run of this chaincode has taken over", fields...)
	case e.gone:
		l.log.Info("the chaincode's container was removed, by a later run or by hand", fields...)
	case e.oomKilled:
		l.log.Error("the chaincode ran out of memory: see vm.docker.hostConfig.Memory", fields...)
	case e.status == 0:
		l.log.Info("the chaincode has ended", fields...)
	default:
		if e.hint != "" {
			fields = append(fields, "hint", e.hint)
		}
		l.log.Error("the chaincode has ended", fields...)
	}
}

var _ Engine = (*docker.Engine)(nil)
