// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/loglines"
	"fabric-builder-docker/internal/metadata"
)

// session is the connection to one container: it copies the container's output and waits for its exit. The output comes
// from an attach, and after a lost connection from the engine's log.
type session struct {
	id       string
	image    string // of the container
	exits    <-chan docker.Exit
	stopWait context.CancelFunc // ends the wait
	copied   chan error         // receives the result of the copy, then is closed
	cut      bool               // the copy ended with an error; valid once copied is closed
	copiedAt time.Time          // when the copy ended; valid once copied is closed
	stop     func()             // ends the copy at once
	finish   func()             // ends the copy when nothing is left to copy; nil if it does so by itself
	stdout   *streamWriter
	stderr   *streamWriter
	log      logPlace
}

// open attaches to a container that has not started, writes input to its standard input, and registers for its exit.
// Only the opening is bounded by ctx. The session lives until close: it must survive the end of the start-up, and after
// a signal it still delivers the last output.
func (l *launch) open(ctx context.Context, id string, input []byte) (*session, error) {
	output, err := l.engine.Attach(ctx, id, input) // the connection outlives ctx
	if err != nil {
		return nil, err
	}
	s := &session{id: id, stdout: l.newWriter(), stderr: l.newWriter()}
	if err := s.wait(ctx, l.engine.Wait); err != nil {
		output.Close()
		return nil, err
	}
	s.copy(output.Close, nil, func() error { return output.Copy(s.stdout, s.stderr) })
	return s, nil
}

// wait registers for the exit of the container. The wait outlives ctx.
func (s *session) wait(ctx context.Context, register func(context.Context, string) (<-chan docker.Exit, error)) error {
	waiting, stopWait := context.WithCancel(context.WithoutCancel(ctx))
	detach := context.AfterFunc(ctx, stopWait) // an engine that hangs must not hold anything up
	exits, err := register(waiting, s.id)
	detach()
	if err != nil {
		stopWait()
		return err
	}
	s.exits, s.stopWait = exits, stopWait
	return nil
}

// resume waits again for a container whose connection was lost, and takes up its output from the engine's log. It does not
// attach: that hangs if the container has ended meanwhile.
func (l *launch) resume(ctx context.Context, s *session) error {
	if err := s.wait(ctx, l.engine.WaitEnded); err != nil {
		return err
	}
	l.readLog(ctx, s)
	return nil
}

// copy starts to copy output.
func (s *session) copy(stop, finish func(), copyOutput func() error) {
	s.stop, s.finish, s.copied = stop, finish, make(chan error, 1)
	go func(copied chan<- error) {
		err := copyOutput()
		s.cut, s.copiedAt = err != nil, time.Now()
		copied <- err
		close(copied)
	}(s.copied)
}

// readLog starts to copy the engine's log, until the session is closed, or finished once the container has ended.
func (l *launch) readLog(ctx context.Context, s *session) {
	reading, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	s.copy(stop, sync.OnceFunc(func() { close(ended) }), func() error {
		if s.stdout.discard { // and nothing waits for a reader
			select {
			case <-ended:
			case <-reading.Done():
			}
			return nil
		}
		return l.pollLog(reading, s, ended)
	})
}

// waitFailed returns the error of a wait that has failed, otherwise nil. It does not block.
func (s *session) waitFailed() error {
	select {
	case exit := <-s.exits:
		s.putBack(exit)
		return exit.Err
	default:
		return nil
	}
}

// putBack lets the result of the wait be read again.
func (s *session) putBack(exit docker.Exit) {
	again := make(chan docker.Exit, 1)
	again <- exit
	s.exits = again
}

// close ends the connection and waits until its output is written.
func (s *session) close() {
	s.stopWait()
	s.stop()
	for range s.copied {
	}
}

// flush writes last lines that have no newline.
func (s *session) flush() error {
	return errors.Join(s.stdout.lines.Close(), s.stderr.lines.Close())
}

// streamWriter writes one stream as lines.
type streamWriter struct {
	lines   *loglines.Writer
	discard bool // the operator has turned the output off
	printed printed
	expect  []byte // has been printed, and comes next in the log
}

// newWriter returns a writer to stderr. If the operator has turned the output off, it discards the lines; the stream
// must be read all the same.
func (l *launch) newWriter() *streamWriter {
	if !l.settings.VM.Docker.AttachStdout {
		return &streamWriter{lines: loglines.NewWriter(io.Discard, ""), discard: true}
	}
	return &streamWriter{lines: loglines.NewWriter(l.stderr, metadata.ShortID(l.chaincode.ID)+" | ")}
}

// Write writes what comes from an attach.
func (w *streamWriter) Write(p []byte) (int, error) {
	if w.discard {
		return len(p), nil
	}
	w.printed.add(p)
	return w.lines.Write(p)
}

// writeLogged writes what comes from the log, except for the part that came from the attach.
func (w *streamWriter) writeLogged(p []byte) error {
	known := min(len(w.expect), len(p))
	if bytes.Equal(w.expect[:known], p[:known]) {
		w.expect, p = w.expect[known:], p[known:]
	} else {
		w.expect = nil
	}
	_, err := w.lines.Write(p)
	return err
}

var _ io.Writer = (*streamWriter)(nil)
