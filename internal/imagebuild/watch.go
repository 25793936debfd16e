// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"errors"
	"sync"
	"time"

	"fabric-builder-docker/internal/docker"
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

// startWatch begins to watch a container, whose output is shown from the given position of its log on. It does not wait for
// the engine's answers, because there are none while a client that downloads from the container has stopped reading.
func (b *Builder) startWatch(ctx context.Context, j *job, id string, position *docker.LogPosition) *watch {
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
		w.shown <- b.newLogReader(j, id, position).follow(ctx)
	})
	return w
}

// isLost reports whether the connection to the engine was lost.
func (w *watch) isLost() bool {
	if w == nil {
		return false
	}
	select {
	case <-w.over:
		return w.exit.Err != nil
	default:
		return false
	}
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

// drain waits until all output of a container that has exited is shown. It returns false if it could not be shown completely.
func (w *watch) drain(ctx context.Context, b *Builder) bool {
	if w == nil {
		return false
	}
	err := b.drain(ctx, w.shown)
	if err != nil && ctx.Err() == nil {
		b.Log.Warn("the output of the other builder's container is incomplete", "error", err)
	}
	return err == nil
}
