// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"errors"
	"io"
	"time"

	"fabric-builder-docker/internal/buildlog"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/loglines"
)

// logReader shows the output of a build from the engine's log of its container, with the package's label on each line. An
// attach would hold the build up, for all who wait for it, while this program has stopped or its stderr is read slowly.
type logReader struct {
	*Builder
	id             string
	position       *docker.LogPosition
	stdout, stderr *loglines.Writer
}

func (b *Builder) newLogReader(j *job, id string, position *docker.LogPosition) *logReader {
	r := &logReader{
		Builder: b, id: id, position: position,
		stdout: loglines.NewWriter(b.output(), linePrefix(j.label)), stderr: loglines.NewWriter(b.output(), linePrefix(j.label)),
	}
	r.stdout.DropOverwritten, r.stderr.DropOverwritten = true, true
	return r
}

// output returns the writer for what builds print.
func (b *Builder) output() io.Writer {
	if b.printed == nil {
		return b.Stderr
	}
	return b.printed
}

// beginOutput begins the output of a build.
func (b *Builder) beginOutput(label string) {
	b.phases = newPhases()
	b.printed = buildlog.New(b.Stderr, linePrefix(label), !b.Limits.Summarize)
}

// endStep sums up the output of a build's container if it has succeeded, or keeps it.
func (b *Builder) endStep(j *job, err error, began time.Time, more ...any) {
	if b.printed == nil || err != nil && !j.needsC(err) {
		return
	}
	if err == nil {
		fields := append([]any{"took", buildlog.Round(time.Since(began))}, more...)
		b.Log.Info(j.task().done, append(fields, b.printed.Fields()...)...)
	}
	b.printed.Forget()
}

// endOutput shows what a build has printed that failed, and adds the reason to its error.
func (b *Builder) endOutput(err error) {
	if err == nil || b.printed == nil {
		return
	}
	if failed := (*Failed)(nil); errors.As(err, &failed) {
		failed.Reason, failed.Hint = b.printed.Reason(), b.printed.Hint()
	}
	b.printed.Show()
}

// follow shows the log until the container has exited. It has the log open by then, so it also shows the end of a container
// that is removed at once. What the engine leaves out when it rotates the log is read again, if the container still exists.
func (r *logReader) follow(ctx context.Context) error {
	output, err := r.Engine.FollowLog(ctx, r.id, r.position)
	if err != nil {
		return err
	}
	defer output.Close()
	if err = output.Copy(r.stdout, r.stderr); err == nil {
		if err = r.read(ctx); errors.Is(err, docker.ErrNoContainer) {
			err = nil
		}
	}
	return errors.Join(err, r.stdout.Close(), r.stderr.Close())
}

// poll shows the log until ended is closed, and then the rest. It reads the log again and again, since following loses lines
// when the engine rotates the log. The container must exist until poll returns.
func (r *logReader) poll(ctx context.Context, ended <-chan struct{}) error {
	for lost := error(nil); ; {
		last := isClosed(ended)
		err := r.read(ctx)
		if ctx.Err() != nil {
			return errors.Join(context.Cause(ctx), r.readLast(ctx))
		}
		if errors.Is(err, errLost) { // reported at the end, and read on
			lost, err = err, nil
		}
		if last || errors.Is(err, docker.ErrNoContainer) {
			return errors.Join(lost, err, r.stdout.Close(), r.stderr.Close())
		}
		if err != nil {
			r.Log.Debug("cannot read the build's output: trying again", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-ended:
		case <-time.After(r.Periods.Output):
		}
	}
}

// lastRead limits how long the last output of a build is read that a signal or its time-out has ended.
const lastRead = time.Second

// readLast shows what the build has printed up to now, although ctx has ended: it says what the build was doing.
func (r *logReader) readLast(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastRead)
	defer cancel()
	return errors.Join(r.read(ctx), r.stdout.Close(), r.stderr.Close())
}

// errLost means that the engine's log no longer holds what comes next.
var errLost = errors.New("the engine's log has lost lines by rotation")

// read shows what is new in the log.
func (r *logReader) read(ctx context.Context) error {
	complete, err := r.Engine.ReadLog(ctx, r.id, r.position, func(piece docker.LogPiece) error {
		var out io.Writer = r.stdout
		if piece.Stderr {
			out = r.stderr
		}
		_, err := out.Write(piece.Data)
		return err
	})
	if err == nil && !complete {
		return errLost
	}
	return err
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
