package launch

import (
	"context"
	"errors"
	"io"
	"time"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/loglines"
)

// session is one connection to a container: its output, and the wait for its end.
type session struct {
	id     string
	exits  <-chan docker.Exit
	output *docker.Output
	copied chan error // closed when the output has ended and stands in the log
	cut    bool       // how it has ended, for those who have seen copied closed
	over   time.Time  // when
	stdout *resumable
	stderr *resumable
}

// open attaches to a container that has not started, hands it its input, and registers for its end.
func (l *launch) open(ctx context.Context, id string, input []byte) (*session, error) {
	output, err := l.engine.Attach(ctx, id, input)
	if err != nil {
		return nil, err
	}
	exits, err := l.engine.Wait(ctx, id)
	if err != nil {
		output.Close()
		return nil, err
	}
	s := &session{id: id, stdout: l.writer(), stderr: l.writer()}
	s.follow(output, exits)
	return s, nil
}

// resume connects again to a container whose connection was lost, and goes on with its output where it stood.
func (l *launch) resume(ctx context.Context, s *session) error {
	exits, err := l.engine.WaitEnded(ctx, s.id)
	if err != nil {
		return err
	}
	output, err := l.engine.Logs(ctx, s.id, s.skip())
	if err != nil {
		return err
	}
	s.follow(output, exits)
	return nil
}

func (s *session) follow(output *docker.Output, exits <-chan docker.Exit) {
	s.output, s.exits, s.copied = output, exits, make(chan error, 1)
	go func(copied chan<- error) {
		err := output.Copy(s.stdout, s.stderr)
		s.cut, s.over = err != nil, time.Now()
		copied <- err
		close(copied)
	}(s.copied)
}

// broken is why the wait has failed, if it has. It does not wait.
func (s *session) broken() error {
	select {
	case exit := <-s.exits:
		again := make(chan docker.Exit, 1)
		again <- exit // for whoever stays
		s.exits = again
		return exit.Err
	default:
		return nil
	}
}

// close ends the connection and waits until nothing of it is written any more.
func (s *session) close() {
	s.output.Close()
	for range s.copied {
	}
}

// finish brings out unfinished last lines.
func (s *session) finish() error {
	return errors.Join(s.stdout.lines.Close(), s.stderr.lines.Close())
}

// replayable is how many bytes of output the engine's log surely still holds: less than one file of it.
const replayable = 40 << 20

// skip prepares for reading the log after a lost connection. As long as the engine has the whole log it is read again
// from the start, and what was seen is skipped to the byte; after that it is read from the time of the last output.
func (s *session) skip() (since time.Time) {
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

// resumable hands one stream on as lines and knows how far it has come.
type resumable struct {
	lines *loglines.Writer
	seen  int64 // bytes of the stream handed on
	skip  int64 // bytes of a replay that were handed on before
	last  time.Time
}

// writer shows lines, unless the operator does not want to see them: the stream is read all the same.
func (l *launch) writer() *resumable {
	out := l.stderr
	if !l.settings.VM.Docker.AttachStdout {
		out = io.Discard
	}
	return &resumable{lines: loglines.NewWriter(out, l.chaincode.ID+" | ")}
}

func (r *resumable) Write(p []byte) (int, error) {
	known := min(r.skip, int64(len(p)))
	r.skip -= known
	r.seen += int64(len(p)) - known
	r.last = time.Now()
	if _, err := r.lines.Write(p[known:]); err != nil {
		return 0, err
	}
	return len(p), nil
}

var _ io.Writer = (*resumable)(nil)
