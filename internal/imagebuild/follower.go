// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"errors"
	"time"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
)

// A result is what following another builder has come to.
type result int

const (
	pending   result = iota // the wait goes on
	settled                 // the image exists, or the build has failed
	vanished                // the other builder's container is gone; there may be an image
	late                    // the other builder makes no progress, but may still be alive
	lateBuilt               // the same, but its build has succeeded
)

// follower follows another builder's attempt at the same content.
type follower struct {
	*Builder
	job     *job
	attempt int
	id      string        // of the other builder's container
	way     string        // of the other builder, see [platform.Given]
	skew    time.Duration // how far the engine's clock is ahead
	began   time.Time
	ended   time.Time // when the follower saw that the container had ended
	lost    time.Time // since when the engine has not answered; zero if it does
	watch   *watch    // nil until the follower sees the container running
	shown   docker.LogPosition
}

// follow waits for another builder: it shows the output of that builder's container and takes over its result. It removes
// nothing, since only the leader knows what it still needs.
func (b *Builder) follow(ctx context.Context, j *job, attempt int, other docker.Container) (result, error) {
	skew, err := b.clockSkew(ctx)
	if err != nil {
		b.Log.Debug("counting from now how long the other builder has taken", "error", err)
		skew = time.Until(other.Created)
	}
	defer b.phases.enter(waiting)()
	b.Log.Info("another builder is building the same content: waiting for it", "container_id", other.ID, "image", j.image)
	f := &follower{Builder: b, job: j, attempt: attempt, id: other.ID, way: other.Labels[metadata.LabelWay], skew: skew, began: time.Now()}
	defer func() { f.watch.close() }()
	for {
		result, err := f.step(ctx)
		if f.mayComeBack(err) {
			result, err = pending, nil
		}
		if err != nil || result != pending {
			return result, err
		}
		if err := f.pause(ctx); err != nil {
			return settled, err
		}
	}
}

// mayComeBack reports whether err means that the engine cannot be reached, and not for long. With live restore, the build goes
// on meanwhile.
func (f *follower) mayComeBack(err error) bool {
	switch {
	case !docker.IsUnreachable(err):
		f.lost = time.Time{}
		return false
	case f.lost.IsZero():
		f.lost = time.Now()
		f.Log.Warn("lost the connection to the engine: reconnecting", "error", err)
	}
	return time.Since(f.lost) <= f.Periods.Reconnect
}

// step looks at the other builder's container once.
func (f *follower) step(ctx context.Context) (result, error) {
	container, err := f.inspectOrList(ctx, f.id)
	switch {
	case errors.Is(err, docker.ErrNoContainer):
		return f.onGone(ctx)
	case err != nil:
		return settled, err
	case container.Ended():
		return f.onEnded(ctx, container)
	case f.expired(container, f.now()):
		return late, nil
	}
	if f.attempt > 1 { // an earlier attempt may have gone on
		if exists, err := f.exists(ctx, f.job); err != nil || exists {
			return settled, err
		}
	}
	if container.Status == "created" {
		return f.onCreated(ctx, container), nil
	}
	if f.watch.isLost() {
		f.watch.close()
		f.watch = nil
	}
	if f.watch == nil {
		f.watch = f.startWatch(ctx, f.job, f.id, &f.shown)
	}
	return pending, nil
}

// onCreated waits until the container is started. If its leader could not start it, there is nothing to wait for.
func (f *follower) onCreated(ctx context.Context, container docker.Container) result {
	waited := f.now().Sub(container.Created) > f.patience(f.Periods.Created)
	if container.Error != "" || waited && !f.collecting(ctx) {
		return late
	}
	return pending
}

// onEnded takes over the result of a container that has exited. A success counts only if there is an image. A failure counts
// only if the follower saw the container running: the reasons of an earlier one may no longer exist.
func (f *follower) onEnded(ctx context.Context, container docker.Container) (result, error) {
	failed := &Failed{Status: container.ExitCode, OOMKilled: container.OOMKilled}
	known := !container.Finished.IsZero() // not if the inspect hangs
	if known && (f.job.needsC(failed) || f.watch != nil && failed.isOwn()) {
		return f.fail(ctx, failed)
	}
	if f.watch == nil && known && failed.Status == 0 {
		f.watch = f.startWatch(ctx, f.job, f.id, &f.shown)
	}
	if exists, err := f.exists(ctx, f.job); err != nil || exists {
		f.watch.drain(ctx, f.Builder)
		return settled, err
	}
	switch {
	case known:
		f.ended = container.Finished
	case f.ended.IsZero():
		f.ended = f.now()
	}
	switch {
	case f.now().Sub(f.ended) <= f.patience(f.Periods.Ended):
		return pending, nil
	case known && failed.Status == 0:
		f.watch.drain(ctx, f.Builder)
		return lateBuilt, nil
	}
	return late, nil
}

// onGone takes over the result of a container that is gone. A leader removes its container as soon as it knows that the build
// has failed, but a follower that has seen the container running has also been told its exit status.
func (f *follower) onGone(ctx context.Context) (result, error) {
	exit := f.watch.awaitExit(ctx)
	failed := &Failed{Status: exit.Code}
	switch {
	case exit.Err != nil:
		return vanished, nil
	case exit.Code <= 0 || !failed.isOwn():
		f.watch.drain(ctx, f.Builder)
		return vanished, nil
	}
	return f.fail(ctx, failed)
}

// fail takes over a failure, unless the follower could not show all that the build printed: the reason comes last. A builder
// that was given other proxies, credentials or certificates may fail where this one does not.
func (f *follower) fail(ctx context.Context, failed *Failed) (result, error) {
	shown := f.watch.drain(ctx, f.Builder)
	switch {
	case f.job.needsC(failed):
		return settled, failed
	case f.way != f.job.plan.Given.Way:
		f.Log.Warn("the other build has failed, but with other proxies, credentials or certificates: building again", "exit_status", failed.Status)
		return vanished, nil
	case shown:
		return settled, failed
	}
	return vanished, nil
}

// isOwn reports whether a build has failed by itself. A container that is removed ends with 137, or with 143 on podman.
func (f *Failed) isOwn() bool {
	return f.OOMKilled || f.Status != 0 && f.Status != 128+9 && f.Status != 128+15
}

// patience returns how long the follower waits for the next step of an attempt: twice as long for each attempt.
func (f *follower) patience(period time.Duration) time.Duration {
	return period << min(f.attempt-1, 10)
}

// inspectOrList returns the state of another builder's container. While a client that downloads from it has stopped reading, an engine
// does not answer an inspect; the list of containers then says all but how the container ended.
func (b *Builder) inspectOrList(ctx context.Context, id string) (docker.Container, error) {
	short, cancel := context.WithTimeout(ctx, b.Periods.Inspect)
	defer cancel()
	found, err := b.Engine.Inspect(short, id)
	if err == nil || errors.Is(err, docker.ErrNoContainer) {
		return found, err
	}
	found, err = b.Engine.Lookup(ctx, id)
	if err == nil && found.IsGoing() {
		err = docker.ErrNoContainer
	}
	return found, err
}

// collecting reports whether a container is collecting the modules of a build, or finished at most Periods.Created ago.
// The leader uploads the modules before it starts the build, and keeps the collector until the build ends.
func (f *follower) collecting(ctx context.Context) bool {
	if f.job.plan.Modules == nil {
		return false
	}
	collector, err := f.inspectOrList(ctx, collectorName(f.job.name))
	switch {
	case err != nil:
		return !errors.Is(err, docker.ErrNoContainer)
	case collector.Ended():
		return f.now().Sub(collector.Finished) <= f.patience(f.Periods.Created)
	}
	return !f.expired(collector, f.now())
}

// now returns the time by the engine's clock.
func (f *follower) now() time.Time { return time.Now().Add(f.skew) }

// pause waits until the container exits or the next poll is due: after a twentieth of the time waited so far, so that a short
// wait ends soon and a long one polls rarely. Periods.Poll limits it.
func (f *follower) pause(ctx context.Context) error {
	const part = 20
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-f.watch.exited():
	case <-time.After(min(max(time.Since(f.began)/part, f.Periods.Poll/part), f.Periods.Poll)):
	}
	return nil
}
