// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"slices"
	"strconv"
	"time"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
)

// unlabelled is the time-out of containers that have no label with their builder's: those of older versions, and those that
// are only created to make or inspect an image.
const unlabelled = time.Hour

// sweepTime limits each call of a sweep. An engine completes a removal even if its client has gone.
const sweepTime = 5 * time.Second

// sweep removes, in the background, containers of builds of any content whose builder's time is over: builders that were
// killed, or whose engine was, leave them behind. The caller must call wait at the end of the build.
func (b *Builder) sweep(ctx context.Context) (wait func()) {
	return b.inBackground(ctx, b.removeExpired)
}

func (b *Builder) inBackground(ctx context.Context, remove func(context.Context) error) (wait func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := remove(ctx); err != nil {
			b.Log.Debug("cannot look for what other builders have left", "error", err)
		}
	}()
	return func() { <-ended }
}

// removeLeftImages removes the images that builders which were killed have left under temporary names. Engines do not tell the
// age of an image that they have loaded, so the names do.
func (b *Builder) removeLeftImages(ctx context.Context) error {
	listing, cancel := context.WithTimeout(ctx, sweepTime)
	defer cancel()
	names, err := b.Engine.ImageNames(listing, b.Prefix+"/*")
	if err != nil {
		return err
	}
	for _, name := range names {
		made, ok := metadata.TemporarySince(b.Prefix, name)
		if !ok || time.Since(made) < max(unlabelled, b.Periods.Build)+timeoutGrace {
			continue
		}
		b.Log.Warn("removing an image that a build has left under a temporary name", "image", name)
		if err := b.Engine.Untag(ctx, name); err != nil {
			b.Log.Warn("cannot remove the image: a later build --anew tries again", "image", name, "error", err)
		}
	}
	return nil
}

func (b *Builder) removeExpired(ctx context.Context) error {
	var all []docker.Container
	for _, kind := range []string{metadata.KindBuild, metadata.KindAssembly} {
		listing, cancel := context.WithTimeout(ctx, sweepTime)
		found, err := b.Engine.List(listing, map[string]string{metadata.LabelKind: kind})
		cancel()
		if err != nil {
			return err
		}
		all = append(all, slices.DeleteFunc(found, func(c docker.Container) bool {
			return b.isNew(c) || !metadata.IsContainerName(kind, c.Name)
		})...)
	}
	if len(all) == 0 {
		return nil
	}
	skew, err := b.clockSkew(ctx)
	if err != nil {
		return err
	}
	for _, container := range all {
		if b.expired(container, time.Now().Add(skew)) {
			b.removeAbandoned(ctx, container)
		}
	}
	return nil
}

// isNew reports whether a container cannot be past its time-out yet, unless the engine's clock differs from the local one. Most
// cannot: for these, the engine need not be asked for its time, which costs it a look at all it has.
func (b *Builder) isNew(container docker.Container) bool {
	return time.Since(container.Created).Abs() < min(time.Minute, timeoutOf(container, b.Periods.Build))
}

func (b *Builder) removeAbandoned(ctx context.Context, container docker.Container) {
	b.Log.Warn("removing a build container past its time-out", "container", container.Name, "status", container.Status)
	ctx, cancel := context.WithTimeout(ctx, sweepTime)
	defer cancel()
	if err := b.Engine.Remove(ctx, container.ID); err != nil {
		b.Log.Warn("cannot remove the container: a later build tries again", "container", container.Name, "error", err)
	}
}

// expired reports whether the time of the builder that created a container is over. The container may be removed then, and
// not before.
func (b *Builder) expired(container docker.Container, now time.Time) bool {
	return Expired(container, now, b.Periods.Build)
}

// Expired is the rule for all containers of kind build and assembly: whether the time of the builder that created one is over.
// Now is by the engine's clock, and timeout is builder.buildTimeout here.
func Expired(container docker.Container, now time.Time, timeout time.Duration) bool {
	return now.Sub(container.Created) > timeoutOf(container, timeout)+timeoutGrace
}

// timeoutOf returns the time-out of the builder that created a container.
func timeoutOf(container docker.Container, timeout time.Duration) time.Duration {
	if seconds, err := strconv.ParseInt(container.Labels[metadata.LabelTimeout], 10, 64); err == nil {
		return time.Duration(seconds) * time.Second
	}
	return max(unlabelled, timeout)
}

// timeoutGrace is how long after its time-out a builder may take to clean up. The list of containers gives whole seconds.
const timeoutGrace = 5 * time.Second

// clockSkew returns how far the engine's clock is ahead. Podman takes a second for the answer if it has hundreds of images,
// and much longer if it is busy as well.
func (b *Builder) clockSkew(ctx context.Context) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, sweepTime)
	defer cancel()
	now, err := b.Engine.Clock(ctx)
	if err != nil {
		return 0, err
	}
	return time.Until(now), nil
}
