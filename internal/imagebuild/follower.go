package imagebuild

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fabric-builder-docker/internal/docker"
)

// follow waits for another builder of the same content: it shows the output of that builder's container and takes over its
// result. It polls the container, because a wait also reports success for a container that was removed. It returns false if
// the container is gone without a result.
func (b *Builder) follow(ctx context.Context, j *job, container docker.Container) (settled bool, err error) {
	if err := b.setClock(ctx, j); err != nil {
		return false, err
	}
	old := container.Ended() && container.ExitCode != 0 && j.age(container.Finished) > 2*b.Periods.Linger
	if old && !j.needsC(&Failed{Status: container.ExitCode}) {
		return false, b.removeAbandoned(ctx, container, "an earlier build failed and its leader is gone")
	}
	b.Log.Info("another builder is building the same content: waiting for it", "container_id", container.ID, "image", j.image)
	var shown <-chan error
	for began := time.Now(); ; {
		if reason := b.abandoned(ctx, j, container); reason != "" {
			return false, b.removeAbandoned(ctx, container, reason)
		}
		if shown == nil && container.Status != "created" {
			output, err := b.Engine.Logs(ctx, container.ID, time.Time{})
			if err == nil {
				defer output.Close()
				shown = b.show(output, j)
			} else if !errors.Is(err, docker.ErrNoContainer) {
				return false, err
			}
		}
		if container.Ended() {
			return b.result(ctx, j, container, shown)
		}
		if err := b.backoff(ctx, began); err != nil {
			return false, err
		}
		if container, err = b.Engine.Inspect(ctx, container.ID); errors.Is(err, docker.ErrNoContainer) {
			return false, nil
		} else if err != nil {
			return false, err
		}
	}
}

// result takes over the result of another builder's container, which has exited.
func (b *Builder) result(ctx context.Context, j *job, container docker.Container, shown <-chan error) (settled bool, err error) {
	if shown != nil {
		if err := b.drain(ctx, shown); err != nil {
			b.Log.Warn("the output of the other builder's container is incomplete", "error", err)
		}
	}
	if container.ExitCode == 0 {
		return b.awaitImage(ctx, j, container)
	}
	failed := &Failed{container.ExitCode, container.OOMKilled}
	if j.needsC(failed) {
		j.phase1 = container.ID
		return true, failed
	}
	b.keepForFollowers(ctx)
	b.discard(ctx, container.ID) // the leader does the same, unless it has died
	return true, failed
}

// awaitImage waits for the leader to make the image of a successful build. If the leader does not make it in time, it must
// have died, and awaitImage makes the image from the same container.
func (b *Builder) awaitImage(ctx context.Context, j *job, container docker.Container) (settled bool, err error) {
	for began := time.Now(); j.age(container.Finished) < b.Periods.Assembly; {
		if exists, err := b.exists(ctx, j); err != nil || exists {
			return exists, err
		}
		if _, err := b.Engine.Inspect(ctx, container.ID); errors.Is(err, docker.ErrNoContainer) {
			return false, nil
		}
		if err := b.backoff(ctx, began); err != nil {
			return false, err
		}
	}
	b.Log.Info("the leader of this build is gone: making the image from its container", "container_id", container.ID)
	defer b.discard(ctx, container.ID)
	return true, b.assembleOutput(ctx, j, container.ID)
}

// abandoned returns why a container that has not exited will never produce a result, or an empty string if it still may.
func (b *Builder) abandoned(ctx context.Context, j *job, container docker.Container) string {
	switch {
	case container.Status == "created" && j.age(container.Created) > b.Periods.Created && !b.collecting(ctx, j) && b.isCreated(ctx, container.ID):
		return "it was never started"
	case container.Status == "running" && j.age(container.Started) > b.Periods.Build:
		return fmt.Sprintf("it has been running for more than %v", b.Periods.Build)
	}
	return ""
}

// collecting reports whether a container is collecting the modules of a build, or finished at most Periods.Created ago.
// The leader uploads the modules before it starts the build, and keeps the collector until the build ends.
func (b *Builder) collecting(ctx context.Context, j *job) bool {
	if j.plan.Modules == nil {
		return false
	}
	collector, err := b.Engine.Inspect(ctx, collectorName(j))
	switch {
	case err != nil:
		return !errors.Is(err, docker.ErrNoContainer)
	case collector.Ended():
		return j.age(collector.Finished) <= b.Periods.Created
	case collector.Status == "running":
		return j.age(collector.Started) <= b.Periods.Build
	}
	return j.age(collector.Created) <= b.Periods.Created
}

// isCreated reports whether a container has still not been started. abandoned has to ask again, because the build may have
// started, and even ended and removed its collector, since the build container was last inspected.
func (b *Builder) isCreated(ctx context.Context, id string) bool {
	container, err := b.Engine.Inspect(ctx, id)
	return err == nil && container.Status == "created"
}

// removeAbandoned removes a build container whose leader is gone.
func (b *Builder) removeAbandoned(ctx context.Context, container docker.Container, reason string) error {
	b.Log.Warn("removing another builder's container", "container_id", container.ID, "reason", reason)
	return b.Engine.Remove(ctx, container.ID)
}

// setClock sets the difference between the engine's clock and the local one.
func (b *Builder) setClock(ctx context.Context, j *job) error {
	now, err := b.Engine.Clock(ctx)
	if err != nil {
		return err
	}
	j.skew = time.Until(now)
	return nil
}

// age returns how long ago a moment was, by the engine's clock.
func (j *job) age(moment time.Time) time.Duration { return time.Now().Add(j.skew).Sub(moment) }

// backoff waits between two polls of another builder's work, for a twentieth of the time waited so far: a short wait ends
// soon, and a long one polls rarely. Periods.Poll limits it.
func (b *Builder) backoff(ctx context.Context, since time.Time) error {
	const part = 20
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(min(max(time.Since(since)/part, b.Periods.Poll/part), b.Periods.Poll)):
		return nil
	}
}
