// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"errors"
	"maps"
	"time"

	"fabric-builder-docker/internal/docker"
)

const (
	minPoll  = 100 * time.Millisecond // between two reads of the log while the chaincode prints
	maxPoll  = 2 * time.Second        // the same while it prints nothing
	pollPart = 20                     // a pause is so many times longer than the read before it, at least, while it prints nothing
	maxPause = 30 * time.Second       // where reads take long, as of compressed logs
	logLag   = 300 * time.Millisecond // for an engine to log what it has already sent to an attach
	warnGap  = 10 * time.Second       // between two warnings of missing lines
)

// logPlace is how far the output has been written, as a place in the engine's log.
type logPlace struct {
	known    bool
	position docker.LogPosition
	warned   time.Time     // when missing lines were reported
	unit     time.Duration // of the log's time stamps
}

// pollLog writes what the container prints from the engine's log, from where the output has stopped, until ended is closed
// and the rest is written, or until ctx ends. If the engine does not answer, pollLog tries again.
//
// It reads the log again and again instead of following it: a read that follows loses lines when the engine rotates the
// log, without a sign. A read of the last lines shows one state of the log, so that nothing is lost, or it is known. It
// costs the engine about a millisecond.
func (l *launch) pollLog(ctx context.Context, s *session, ended <-chan struct{}) error {
	for pause := minPoll; ; {
		last, began := isClosed(ended), time.Now()
		printed, err := l.readOn(ctx, s, last)
		switch {
		case err == nil && last, errors.Is(err, docker.ErrNoContainer):
			return err
		case errors.Is(err, docker.ErrUnreadableLog):
			return l.attachAgain(ctx, s, ended, err)
		case err != nil:
			l.log.Debug("cannot read the container's log: trying again", "error", err)
			pause = min(2*pause, reconnectWait)
		case printed: // a longer pause would make the next read longer as well, and the log might not last
			pause = minPoll
		default:
			pause = max(min(2*pause, maxPoll), min(pollPart*time.Since(began), maxPause))
		}
		wake := ended
		if last {
			wake = nil // the engine does not answer
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-wake:
		case <-time.After(pause):
		}
	}
}

// attachAgain writes what a container prints from now on, if its log cannot be read. It looks at the container first, since
// an attach to one that has ended never ends, and for the same reason it ends soon after ended is closed.
func (l *launch) attachAgain(ctx context.Context, s *session, ended <-chan struct{}, reason error) error {
	l.log.Warn("what the chaincode has printed since is lost: its log cannot be read (see vm.docker.hostConfig.LogConfig.Type)",
		"error", reason)
	container, err := l.engine.Inspect(ctx, s.id)
	if err != nil || !container.IsRunning() {
		return err
	}
	output, err := l.engine.Attach(ctx, s.id, nil)
	if err != nil {
		return err
	}
	copied := make(chan error, 1)
	go func() { copied <- output.Copy(s.stdout, s.stderr) }()
	defer output.Close()
	select {
	case err := <-copied:
		return err
	case <-ctx.Done():
	case <-ended:
		select {
		case err := <-copied:
			return err
		case <-ctx.Done():
		case <-time.After(quickDrain):
		}
	}
	output.Close()
	return <-copied
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// readOn writes what is new in the log, and reports whether there was anything. The last read also reports a log that has
// become empty.
func (l *launch) readOn(ctx context.Context, s *session, last bool) (printed bool, err error) {
	if err := l.findPlace(ctx, s); err != nil {
		return false, err
	}
	complete, err := l.engine.ReadLog(ctx, s.id, &s.log.position, func(piece docker.LogPiece) error {
		printed = true
		return s.writer(piece.Stderr).writeLogged(piece.Data)
	})
	if !complete && (printed || last && err == nil) && time.Since(s.log.warned) > warnGap {
		s.log.warned = time.Now()
		l.log.Warn("lines of the chaincode's output are missing: the engine's log no longer holds them (see vm.docker.hostConfig.LogConfig)")
	}
	return printed, err
}

// findPlace finds the place in the log where the output of the attach has stopped.
func (l *launch) findPlace(ctx context.Context, s *session) error {
	if s.log.known {
		return nil
	}
	if s.stdout.printed.last.IsZero() && s.stderr.printed.last.IsZero() { // the beginning
		s.log.known = true
		return nil
	}
	clock, err := l.engineClock(ctx)
	if err != nil {
		return err
	}
	begin := clock(s.stdout.printed.mark())
	if other := clock(s.stderr.printed.mark()); other.After(begin) {
		begin = other
	}
	begin = begin.Add(-jointBefore)
	found, err := l.locate(ctx, s, clock, begin)
	for _, start := range []time.Time{begin, {}} {
		if found || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(logLag):
		}
		found, err = l.locate(ctx, s, clock, start)
	}
	if found || err != nil {
		return err
	}
	l.log.Warn("lines of the chaincode's output may be missing or repeated: what was printed last is not in the engine's log" +
		" (see vm.docker.hostConfig.LogConfig)")
	s.log.known, s.log.warned = true, time.Now()
	s.log.position = docker.LogPositionAt(clock(s.stdout.printed.last).Truncate(s.log.unit), clock(s.stderr.printed.last).Truncate(s.log.unit))
	return nil
}

// locate looks for the place in the log from start on. It sets the position in the log if it finds it.
func (l *launch) locate(ctx context.Context, s *session, clock func(time.Time) time.Time, start time.Time) (found bool, err error) {
	joints := map[bool]*joint{}
	for _, stderr := range []bool{false, true} {
		if p := &s.writer(stderr).printed; !p.last.IsZero() && !clock(p.mark()).Before(start) {
			joints[stderr] = newJoint(p, clock)
		}
	}
	searching := maps.Clone(joints)
	reading := docker.LogPositionAt(start, start)
	s.log.unit = time.Second
	older, err := l.engine.ReadLog(ctx, s.id, &reading, func(piece docker.LogPiece) error {
		if piece.Time.Nanosecond() != 0 {
			s.log.unit = time.Nanosecond
		}
		if j := searching[piece.Stderr]; j != nil && j.take(piece) {
			delete(searching, piece.Stderr)
		}
		if len(searching) == 0 {
			return errPassed
		}
		return nil
	})
	if err != nil && !errors.Is(err, errPassed) {
		return false, err
	}
	position, unlogged := docker.LogPositionAt(start, start), map[bool][]byte{}
	for _, stderr := range []bool{false, true} {
		j := joints[stderr]
		if j == nil { // nothing was printed since start
			_, unlogged[stderr] = s.writer(stderr).printed.lines()
			continue
		}
		j.fromStart = start.IsZero() || !older
		pieces, rest, ok := j.find()
		if !ok {
			return false, nil
		}
		unlogged[stderr] = rest
		for _, piece := range j.pieces[:pieces] {
			position.Advance(piece)
		}
	}
	s.log.known, s.log.position = true, position
	s.stdout.expect, s.stderr.expect = unlogged[false], unlogged[true]
	return true, nil
}

// engineClock returns a function that converts this host's time to that of the engine's log.
func (l *launch) engineClock(ctx context.Context) (func(time.Time) time.Time, error) {
	before := time.Now()
	now, err := l.engine.Clock(ctx)
	if err != nil {
		return nil, err
	}
	after := time.Now()
	var skew time.Duration
	if now.Before(before) || now.After(after) { // otherwise it is the same clock
		skew = now.Sub(before.Add(after.Sub(before) / 2))
	}
	return func(t time.Time) time.Time { return t.Round(0).Add(skew) }, nil
}

// writer returns the writer of a stream.
func (s *session) writer(stderr bool) *streamWriter {
	if stderr {
		return s.stderr
	}
	return s.stdout
}
