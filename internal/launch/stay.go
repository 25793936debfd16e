package launch

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/containerd/errdefs"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/docker"
)

// The peer kills run 5 s after SIGTERM, and whatever has not been cleaned up by then stays.
const (
	stopTime    = time.Second             // for the engine's answer to a stop, beyond the chaincode's grace; the rest is for the removal
	cleanupTime = 4500 * time.Millisecond // for all that is left to do after a signal
	removeTime  = 2 * time.Second         // for the removal alone, where some of that time is gone already
)

const (
	drainTime     = 10 * time.Second       // for the last output of an ended container to arrive
	quickDrain    = 500 * time.Millisecond // the same after a signal
	exitLag       = 2 * time.Second        // for the news of the end after the end of the output
	exitNews      = 300 * time.Millisecond // the same, when nothing is wrong
	restAfter     = 10 * time.Second       // until a launch is surely over, so that giving back memory takes no time from it
	reconnectTime = 5 * time.Minute        // for an engine that restarts
	reconnectWait = time.Second            // between two tries
)

// unknown is the exit status of a run whose container has gone before it could be asked.
const unknown = 1

// end is how a container ended.
type end struct {
	status    int
	oomKilled bool
	takenOver bool   // a later run of this chaincode has removed the container
	gone      bool   // somebody has removed it, nobody knows who
	stopped   string // the reason, when this run has stopped it
}

// stay hands on what the chaincode prints until it ends, and ends with it.
func (l *launch) stay(ctx context.Context, s *session) error {
	l.log.Info("the chaincode's container is running", "chaincode_id", l.chaincode.ID, "container_id", s.id, "image", l.record.Image)
	settled := time.AfterFunc(restAfter, debug.FreeOSMemory) // a peer has one run for each chaincode, and most of them only wait
	defer settled.Stop()
	started := time.Now()
	e, err := l.await(ctx, s)
	if err != nil {
		return errors.Join(fmt.Errorf("following chaincode %s: %w", l.chaincode.ID, err), s.finish())
	}
	if err := s.finish(); err != nil {
		return err
	}
	l.report(e, time.Since(started))
	if e.status == 0 {
		return nil
	}
	return cli.Status(e.status)
}

// await returns when the container has ended and is removed.
func (l *launch) await(ctx context.Context, s *session) (end, error) {
	copied, lag := s.copied, (<-chan time.Time)(nil)
	for {
		select {
		case <-ctx.Done():
			return l.stop(ctx, s)
		case exit := <-s.exits:
			if exit.Err == nil {
				return l.ended(ctx, s, exit.Code)
			}
			if ctx.Err() != nil { // the signal is why the wait has ended
				return l.stop(ctx, s)
			}
			if err := l.reconnect(ctx, s, exit.Err); err != nil {
				return l.lost(ctx, s, err)
			}
			copied, lag = s.copied, nil
		case err := <-copied: // usually the end is announced at the same moment
			copied, lag = nil, time.After(exitLag)
			if err != nil {
				l.log.Debug("the output was cut", "error", err)
			}
		case <-lag:
			if err := l.reconnect(ctx, s, errors.New("the output ended and the container goes on")); err != nil {
				return l.lost(ctx, s, err)
			}
			copied, lag = s.copied, nil
		}
	}
}

// lost gives up, unless a signal is the reason: then the container is stopped as always.
func (l *launch) lost(ctx context.Context, s *session, err error) (end, error) {
	switch {
	case ctx.Err() != nil:
		return l.stop(ctx, s)
	case errdefs.IsNotFound(err): // removed while nobody was connected
		return end{status: unknown, gone: true}, nil
	}
	return end{}, err
}

// reconnect tries until the engine answers again. A container that has gone or ended is none of its business: the new
// session's wait tells.
func (l *launch) reconnect(ctx context.Context, s *session, cause error) error {
	l.log.Warn("the connection to the container was lost: connecting again", "chaincode_id", l.chaincode.ID, "error", cause)
	s.close()
	deadline := time.Now().Add(reconnectTime)
	for {
		err := l.resume(ctx, s)
		switch {
		case err == nil:
			l.log.Info("connected to the container again", "chaincode_id", l.chaincode.ID)
			return nil
		case errdefs.IsNotFound(err), ctx.Err() != nil, time.Now().After(deadline):
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(reconnectWait):
		}
	}
}

// ended takes the last output of a container, finds out how it ended, and removes it.
func (l *launch) ended(ctx context.Context, s *session, code int) (end, error) {
	l.drain(ctx, s, drainTime)
	if s.cut || time.Since(s.over) > exitNews {
		l.catchUp(ctx, s)
	}
	e := end{status: code}
	container, err := l.engine.Inspect(context.WithoutCancel(ctx), s.id)
	switch {
	case errdefs.IsNotFound(err):
		e.gone = true
		return e, nil
	case err == nil && container.Name != l.name():
		e.takenOver = true
		return e, nil
	case err == nil && container.Ended():
		e.status, e.oomKilled = container.ExitCode, container.OOMKilled
	}
	if err := l.remove(ctx, s.id); err != nil { // no reason to hide how the chaincode has ended
		l.log.Warn("the container was left: the next run of this chaincode removes it", "error", err)
	}
	return e, nil
}

// catchUp reads what was printed between a lost connection and the end.
func (l *launch) catchUp(ctx context.Context, s *session) {
	if err := l.resume(ctx, s); err != nil {
		if !errdefs.IsNotFound(err) {
			l.log.Warn("the last output of the chaincode is lost", "chaincode_id", l.chaincode.ID, "error", err)
		}
		return
	}
	l.drain(ctx, s, drainTime)
}

// stop ends the chaincode after a signal, all of it inside cleanupTime.
func (l *launch) stop(ctx context.Context, s *session) (end, error) {
	reason := context.Cause(ctx).Error()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	e := end{status: int(stopped), stopped: reason}
	stopErr := l.stopContainer(ctx, s.id)
	if container, err := l.engine.Inspect(ctx, s.id); err == nil && container.Ended() {
		e.status = container.ExitCode
	}
	// The removal kills as well, so a failed stop matters only if this fails, too.
	if err := l.engine.Remove(ctx, s.id); err != nil {
		return e, errors.Join(err, stopErr)
	}
	l.drain(ctx, s, quickDrain)
	return e, nil
}

func (l *launch) stopContainer(ctx context.Context, id string) error {
	grace := l.settings.Builder.StopGrace
	ctx, cancel := context.WithTimeout(ctx, grace+stopTime)
	defer cancel()
	return l.engine.Stop(ctx, id, grace)
}

// drain waits for output that is still under way, after a signal no longer than the removal can wait.
func (l *launch) drain(ctx context.Context, s *session, limit time.Duration) {
	hurry := ctx.Done()
	for late := time.After(limit); ; {
		select {
		case <-s.copied:
		case <-hurry:
			hurry, late = nil, time.After(quickDrain)
			continue
		case <-late:
			l.log.Warn("the end of the chaincode's output did not arrive", "chaincode_id", l.chaincode.ID)
		}
		s.close()
		return
	}
}

// remove removes a container on a time of its own: the reason may be that there is no time left.
func (l *launch) remove(ctx context.Context, id string) error {
	limit := cleanupTime
	if ctx.Err() != nil { // the call that the signal has met was waited for
		limit = removeTime
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	return l.engine.Remove(ctx, id)
}

// report is the last line: the peer itself says nothing of a chaincode that ends after it was ready.
func (l *launch) report(e end, lived time.Duration) {
	fields := []any{"chaincode_id", l.chaincode.ID, "exit_status", e.status, "lived", lived.Round(time.Millisecond)}
	switch {
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
		l.log.Error("the chaincode has ended", fields...)
	}
}

var _ Engine = (*docker.Engine)(nil)
