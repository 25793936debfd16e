package launch

import (
	"context"
	"errors"
	"io"
	"time"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/loglines"
)

// session is the connection to one container: it copies the container's output and waits for its exit.
type session struct {
	id       string
	exits    <-chan docker.Exit
	stopWait context.CancelFunc // ends the wait that open registered
	output   *docker.Output
	copied   chan error // receives the result of the copy, then is closed
	cut      bool       // the copy ended with an error; valid once copied is closed
	copiedAt time.Time  // when the copy ended; valid once copied is closed
	stdout   *resumableWriter
	stderr   *resumableWriter
}

// open attaches to a container that has not started, writes input to its standard input, and registers for its exit.
// Only the opening is bounded by ctx. The session lives until close: it must survive the end of the start-up, and after
// a signal it still delivers the last output.
func (l *launch) open(ctx context.Context, id string, input []byte) (*session, error) {
	output, err := l.engine.Attach(ctx, id, input) // the connection outlives ctx
	if err != nil {
		return nil, err
	}
	waiting, stopWait := context.WithCancel(context.WithoutCancel(ctx))
	detach := context.AfterFunc(ctx, stopWait) // an engine that hangs must not hold up the start-up
	exits, err := l.engine.Wait(waiting, id)
	detach()
	if err != nil {
		stopWait()
		output.Close()
		return nil, err
	}
	s := &session{id: id, stopWait: stopWait, stdout: l.newWriter(), stderr: l.newWriter()}
	s.pump(output, exits)
	return s, nil
}

// resume reconnects to a container after the connection was lost, and continues its output where it stopped. The new
// connection ends with ctx.
func (l *launch) resume(ctx context.Context, s *session) error {
	exits, err := l.engine.WaitEnded(ctx, s.id)
	if err != nil {
		return err
	}
	output, err := l.engine.Logs(ctx, s.id, s.prepareReplay())
	if err != nil {
		return err
	}
	s.pump(output, exits)
	return nil
}

// pump starts to copy output to the log.
func (s *session) pump(output *docker.Output, exits <-chan docker.Exit) {
	s.output, s.exits, s.copied = output, exits, make(chan error, 1)
	go func(copied chan<- error) {
		err := output.Copy(s.stdout, s.stderr)
		s.cut, s.copiedAt = err != nil, time.Now()
		copied <- err
		close(copied)
	}(s.copied)
}

// waitFailed returns the error of a wait that has failed, otherwise nil. It does not block.
func (s *session) waitFailed() error {
	select {
	case exit := <-s.exits:
		again := make(chan docker.Exit, 1)
		again <- exit // awaitEnd reads it
		s.exits = again
		return exit.Err
	default:
		return nil
	}
}

// close ends the connection and waits until its output is written.
func (s *session) close() {
	s.stopWait()
	s.output.Close()
	for range s.copied {
	}
}

// flush writes last lines that have no newline.
func (s *session) flush() error {
	return errors.Join(s.stdout.lines.Close(), s.stderr.lines.Close())
}

// replayable is the output, in bytes, that the engine's log is certain to hold: less than one log file.
const replayable = 40 << 20

// prepareReplay returns the time from which to read the log after a lost connection. While the engine still has the
// whole log, that is the beginning (the zero time), and the writers skip exactly the bytes they have seen. After that
// it is the time of the last output.
func (s *session) prepareReplay() (since time.Time) {
	s.stdout.skip, s.stderr.skip = s.stdout.seen, s.stderr.seen
	if s.stdout.seen+s.stderr.seen < replayable {
		return time.Time{}
	}
	s.stdout.skip, s.stderr.skip = 0, 0
	if s.stdout.last.After(s.stderr.last) {
		return s.stdout.last
	}
	return s.stderr.last
}

// resumableWriter writes one stream as lines and tracks its position, so that a replay can skip what was written.
type resumableWriter struct {
	lines *loglines.Writer
	seen  int64     // bytes of the stream written so far
	skip  int64     // bytes of the replay that were written before
	last  time.Time // of the last output
}

// newWriter returns a writer to stderr. If the operator has turned the output off, it discards the lines; the stream
// must be read all the same.
func (l *launch) newWriter() *resumableWriter {
	out := l.stderr
	if !l.settings.VM.Docker.AttachStdout {
		out = io.Discard
	}
	return &resumableWriter{lines: loglines.NewWriter(out, l.chaincode.ID+" | ")}
}

func (w *resumableWriter) Write(p []byte) (int, error) {
	known := min(w.skip, int64(len(p)))
	w.skip -= known
	w.seen += int64(len(p)) - known
	w.last = time.Now()
	if _, err := w.lines.Write(p[known:]); err != nil {
		return 0, err
	}
	return len(p), nil
}

var _ io.Writer = (*resumableWriter)(nil)
