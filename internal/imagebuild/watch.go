package imagebuild

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/loglines"
)

// watch shows the output of another builder's running container, and waits for its exit. A nil watch watches nothing.
type watch struct {
	stop    context.CancelFunc
	calls   sync.WaitGroup
	over    chan struct{} // closed when exit is set
	exit    docker.Exit
	shown   chan error // receives the result of the copy of the output, then is closed
	noticed bool       // whether the follower has been woken by the exit
}

// startWatch begins to watch a container. It does not wait for the engine's answers, because there are none while a client
// that downloads from the container has stopped reading.
func (b *Builder) startWatch(ctx context.Context, j *job, id string) *watch {
	ctx, stop := context.WithCancel(ctx)
	w := &watch{stop: stop, over: make(chan struct{}), shown: make(chan error, 1)}
	w.calls.Go(func() {
		defer close(w.over)
		exits, err := b.Engine.WaitEnded(ctx, id)
		if err != nil {
			w.exit = docker.Exit{Err: err}
			return
		}
		w.exit = <-exits
	})
	w.calls.Go(func() {
		defer close(w.shown)
		w.shown <- b.showLog(ctx, j, id)
	})
	return w
}

// showLog shows what the engine's log holds of another builder's output: first by following it, then what following has lost
// because the engine has rotated the log meanwhile, if the container still exists.
func (b *Builder) showLog(ctx context.Context, j *job, id string) error {
	var position docker.LogPosition
	output, err := b.Engine.FollowLog(ctx, id, &position)
	if err != nil {
		return err
	}
	defer output.Close()
	stdout, stderr := loglines.NewWriter(b.Stderr, j.linePrefix()), loglines.NewWriter(b.Stderr, j.linePrefix())
	if err = output.Copy(stdout, stderr); err == nil {
		err = b.showRest(ctx, id, &position, stdout, stderr)
	}
	return errors.Join(err, stdout.Close(), stderr.Close())
}

func (b *Builder) showRest(ctx context.Context, id string, position *docker.LogPosition, stdout, stderr io.Writer) error {
	complete, err := b.Engine.ReadLog(ctx, id, position, func(piece docker.LogPiece) error {
		out := stdout
		if piece.Stderr {
			out = stderr
		}
		_, err := out.Write(piece.Data)
		return err
	})
	switch {
	case errors.Is(err, docker.ErrNoContainer):
		return nil
	case err == nil && !complete:
		return errors.New("the engine's log has lost lines by rotation")
	}
	return err
}

// close ends the watch, and waits until its output is written.
func (w *watch) close() {
	if w != nil {
		w.stop()
		w.calls.Wait()
	}
}

// exited returns a channel that is ready once, when the container has exited or the wait for it has failed.
func (w *watch) exited() <-chan struct{} {
	if w == nil || w.noticed {
		return nil
	}
	select {
	case <-w.over:
		w.noticed = true
	default:
	}
	return w.over
}

// awaitExit returns the exit of a container that is gone: the engine answers the wait then, if it has not done so.
func (w *watch) awaitExit(ctx context.Context) docker.Exit {
	if w == nil {
		return docker.Exit{Err: errors.New("not watched")}
	}
	select {
	case <-w.over:
		return w.exit
	case <-ctx.Done():
		return docker.Exit{Err: context.Cause(ctx)}
	case <-time.After(drainTime):
		return docker.Exit{Err: errors.New("no answer")}
	}
}

// drain waits until all output of a container that has exited is shown. It returns false if the container was gone before its
// log could be read.
func (w *watch) drain(ctx context.Context, b *Builder) bool {
	if w == nil {
		return false
	}
	err := b.drain(ctx, w.shown)
	if err != nil && !errors.Is(err, docker.ErrNoContainer) && ctx.Err() == nil {
		b.Log.Warn("the output of the other builder's container is incomplete", "error", err)
	}
	return !errors.Is(err, docker.ErrNoContainer)
}
