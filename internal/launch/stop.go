// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fabric-builder-docker/internal/docker"
)

// stop stops the container after a signal and removes it, unless it is kept, all within cleanupTime.
func (l *launch) stop(ctx context.Context, s *session) (end, error) {
	e := end{status: int(exitStopped), stopped: context.Cause(ctx).Error()}
	ctx, cancel := l.cleanUp(ctx)
	defer cancel()
	stopErr := l.stopContainer(ctx, s, &e)
	if e.kept = l.keeps(ctx, s.id); e.kept {
		e.at = time.Now()
		l.drain(ctx, s, quickDrain)
		return e, nil
	}
	removing := ctx
	if s.finish != nil {
		l.drain(ctx, s, quickDrain) // while there is a log
	} else { // the attach ends with the removal at the latest
		var cancel context.CancelFunc
		removing, cancel = context.WithTimeoutCause(ctx, l.timeLeft()-quickDrain, errNoTime)
		defer cancel()
	}
	// The removal also kills the container, so a failed stop matters only if the removal fails, too. An engine completes a
	// removal that has begun even when its client is gone, so the container may still go.
	if err := l.retryRemove(removing, s.id); err != nil {
		e.removeErr = err
		if stopErr != nil {
			e.removeErr = fmt.Errorf("%w; %w", err, stopErr)
		}
	}
	e.at = time.Now()
	if s.finish == nil {
		l.drain(ctx, s, quickDrain)
	}
	return e, nil
}

// stopContainer lets the chaincode end, and returns as soon as it has, or has had its time: an engine that is busy may
// report an exit seconds before it answers the call.
func (l *launch) stopContainer(ctx context.Context, s *session, e *end) error {
	left := l.timeLeft()
	grace := max(0, min(l.settings.Builder.StopGrace, left-lastSteps)).Truncate(time.Second)
	answers := make(chan error, 1)
	go func() { answers <- l.engine.Stop(ctx, s.id, grace) }()
	exits, late := s.exits, time.After(grace+max(0, min(stopTime, left-grace-lastSteps)))
	var stopErr error
	for {
		select {
		case exit := <-exits:
			if exit.Err == nil {
				e.status = exit.Code
				return nil
			}
			exits = nil // the connection is lost
		case stopErr = <-answers:
			if exits == nil || stopErr != nil {
				return errors.Join(stopErr, l.readExit(ctx, s.id, e))
			}
			answers, late = nil, time.After(usualExitLag)
		case <-late:
			return errors.Join(stopErr, l.readExit(ctx, s.id, e))
		}
	}
}

// readExit reads how a container has ended of which no exit was reported, if the engine tells soon.
func (l *launch) readExit(ctx context.Context, id string, e *end) error {
	ctx, cancel := context.WithTimeout(ctx, usualExitLag)
	defer cancel()
	container, err := l.engine.Inspect(ctx, id)
	switch {
	case err == nil && container.Ended():
		e.status = container.ExitCode
	case err == nil && container.Status == "created":
		e.notStarted = true
	}
	return err
}

// remove removes a container, also when ctx has ended.
func (l *launch) remove(ctx context.Context, id string) error {
	ctx, cancel := l.cleanUp(ctx)
	defer cancel()
	return l.retryRemove(ctx, id)
}

// retryRemove removes a container, and tries again for a while if the connection to the engine is lost.
func (l *launch) retryRemove(ctx context.Context, id string) error {
	for deadline := time.Now().Add(removeRetry); ; {
		err := l.engine.Remove(ctx, id)
		if !docker.IsUnreachable(err) || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(removePause):
		}
	}
}

// cleanUp returns a context for what is left to do when ctx has ended or may end. It ends cleanupTime after the signal.
func (l *launch) cleanUp(ctx context.Context) (context.Context, context.CancelFunc) {
	cleaning, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	detach := context.AfterFunc(ctx, func() {
		select {
		case <-cleaning.Done():
		case <-time.After(l.timeLeft()):
			cancel(errNoTime)
		}
	})
	return cleaning, func() {
		detach()
		cancel(nil)
	}
}

// errNoTime ends what is still under way when the peer is about to kill this program.
var errNoTime = fmt.Errorf("not done within %v of the signal", cleanupTime)

// timeLeft returns how much of cleanupTime is left, or all of it if no signal has come.
func (l *launch) timeLeft() time.Duration {
	if signalled := l.signalled.Load(); signalled != nil {
		return cleanupTime - time.Since(*signalled)
	}
	return cleanupTime
}
