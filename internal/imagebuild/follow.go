package imagebuild

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/containerd/errdefs"

	"fabric-builder-docker/internal/docker"
)

// follow waits for somebody else's build of the same content: it shows that container's output and takes its status.
// It looks at the container again and again rather than waiting for its end: a wait's answer alone proves nothing.
func (b *Builder) follow(ctx context.Context, j *job, container docker.Container) error {
	if err := b.setClock(ctx, j); err != nil {
		return err
	}
	if container.Ended() && container.ExitCode != 0 && j.age(container.Finished) > 2*b.Periods.Linger {
		return b.replace(ctx, container, "an earlier build failed and its holder is gone")
	}
	b.Log.Info("another builder builds the same content: waiting for it", "container_id", container.ID, "image", j.image)
	var shown <-chan error
	for began := time.Now(); ; {
		if reason := b.stale(j, container); reason != "" {
			return b.replace(ctx, container, reason)
		}
		if shown == nil && container.Status != "created" {
			output, err := b.Engine.Logs(ctx, container.ID, time.Time{})
			if err == nil {
				defer output.Close()
				shown = b.show(output, j)
			} else if !errdefs.IsNotFound(err) {
				return err
			}
		}
		if container.Ended() {
			return b.followed(ctx, j, container, shown)
		}
		if err := b.pause(ctx, began); err != nil {
			return err
		}
		var err error
		if container, err = b.Engine.Inspect(ctx, container.ID); errdefs.IsNotFound(err) {
			return b.vanished(ctx, j)
		} else if err != nil {
			return err
		}
	}
}

// followed takes the result of a build container that has ended.
func (b *Builder) followed(ctx context.Context, j *job, container docker.Container, shown <-chan error) error {
	if shown != nil {
		if err := b.drained(ctx, shown); err != nil {
			b.Log.Warn("the output of the other builder's container is incomplete", "error", err)
		}
	}
	if container.ExitCode == 0 {
		return b.awaitImage(ctx, j, container)
	}
	// The holder removes it too, unless it has died.
	b.linger(ctx)
	b.discard(ctx, container.ID)
	return &Failed{container.ExitCode, container.OOMKilled}
}

// awaitImage waits for the holder to make an image of a build that has succeeded. A holder that does not has died: the
// image is then made here, of that same container.
func (b *Builder) awaitImage(ctx context.Context, j *job, container docker.Container) error {
	for began := time.Now(); j.age(container.Finished) < b.Periods.Assembly; {
		if _, err := b.existing(ctx, j); !errdefs.IsNotFound(err) {
			return err
		}
		if _, err := b.Engine.Inspect(ctx, container.ID); errdefs.IsNotFound(err) {
			return b.vanished(ctx, j)
		}
		if err := b.pause(ctx, began); err != nil {
			return err
		}
	}
	b.Log.Info("the other builder is gone: making the image of its container", "container_id", container.ID)
	err := b.assembleOutput(ctx, j, container.ID)
	b.discard(ctx, container.ID)
	return err
}

// vanished is a container that was there a moment ago: either its image is there now, or all starts over.
func (b *Builder) vanished(ctx context.Context, j *job) error {
	_, err := b.existing(ctx, j)
	if errdefs.IsNotFound(err) {
		return startOver{errors.New("the other builder has gone and left no image")}
	}
	return err
}

// stale says why a container that has not ended will never end well, if so.
func (b *Builder) stale(j *job, container docker.Container) string {
	switch {
	case container.Status == "created" && j.age(container.Created) > b.Periods.Created:
		return "it was never started"
	case container.Status == "running" && j.age(container.Started) > b.Periods.Build:
		return fmt.Sprintf("it has been running for more than %v", b.Periods.Build)
	}
	return ""
}

// replace removes a container that holds the lock for nobody.
func (b *Builder) replace(ctx context.Context, container docker.Container, reason string) error {
	b.Log.Warn("removing another builder's container", "container_id", container.ID, "reason", reason)
	if err := b.Engine.Remove(ctx, container.ID); err != nil {
		return err
	}
	return startOver{fmt.Errorf("the build container of another builder was replaced: %s", reason)}
}

// setClock compares the engine's clock with ours, once for a build.
func (b *Builder) setClock(ctx context.Context, j *job) error {
	now, err := b.Engine.Clock(ctx)
	if err != nil {
		return err
	}
	j.skew = time.Until(now)
	return nil
}

// age is how long ago that was, by the engine's clock.
func (j *job) age(moment time.Time) time.Duration { return time.Now().Add(j.skew).Sub(moment) }

// pause waits between two looks at somebody else's work: a twentieth of what has been waited for it already, so that a
// short wait ends soon and a long one asks seldom. Periods.Poll bounds it.
func (b *Builder) pause(ctx context.Context, since time.Time) error {
	const part = 20
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(min(max(time.Since(since)/part, b.Periods.Poll/part), b.Periods.Poll)):
		return nil
	}
}
