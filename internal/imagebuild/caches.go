package imagebuild

import (
	"context"
	"errors"
	"time"

	"github.com/containerd/errdefs"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
)

// volumes makes sure of the plan's caches: path in the build container -> name of a volume. A new one is filled by the
// engine with what the builder image has at its path.
func (b *Builder) volumes(ctx context.Context, j *job) (map[string]string, error) {
	volumes := map[string]string{}
	labels := map[string]string{metadata.LabelKind: metadata.KindCache, metadata.LabelVersion: b.Version}
	for _, cache := range j.plan.Caches {
		if cache.Name == "" {
			continue
		}
		volumes[cache.Path] = metadata.CacheName(b.Prefix, cache.Name)
		if err := b.Engine.EnsureVolume(ctx, volumes[cache.Path], labels); err != nil {
			return nil, err
		}
	}
	return volumes, nil
}

// lockCaches waits until no other build uses the plan's caches, where only one at a time may. The lock is a container
// that never starts, so it needs neither a server nor a clock that two machines share. It returns without the lock
// when somebody builds the same content: that build is followed instead.
func (b *Builder) lockCaches(ctx context.Context, j *job) (lockID string, err error) {
	if j.plan.Serial == "" {
		return "", nil
	}
	spec := docker.Spec{
		Name:    metadata.CacheLockName(b.Prefix, j.plan.Serial),
		Image:   j.plan.Builder.Name,
		Command: []string{"/bin/sh"}, // an image without a command cannot be created from; this one never starts
		Labels:  b.labels(j, metadata.KindCacheLock),
	}
	for began, said := time.Now(), false; ; {
		id, other, err := b.Engine.Claim(ctx, spec)
		if err != nil || other == nil {
			return id, err
		}
		if other.Labels[metadata.LabelDigest] == j.digest {
			if _, err := b.Engine.Inspect(ctx, j.lock); err == nil {
				return "", nil
			}
		}
		if !said { // the first look: ages are by the engine's clock
			if err := b.setClock(ctx, j); err != nil {
				return "", err
			}
		}
		abandoned, err := b.abandoned(ctx, j, *other)
		if err != nil {
			return "", err
		}
		if abandoned {
			b.Log.Warn("removing the lock of a builder that is gone", "container_id", other.ID)
			if err := b.Engine.Remove(ctx, other.ID); err != nil {
				return "", err
			}
			continue
		}
		if !said {
			said = true
			b.Log.Info("another build uses the same caches: waiting for it", "caches", j.plan.Serial)
		}
		if err := b.pause(ctx, began); err != nil {
			return "", err
		}
	}
}

// abandoned says whether a lock's holder is gone: it is past the time in which a build container follows, and there is
// none, or none that still runs. The build container of a holder that has died goes on with the caches.
func (b *Builder) abandoned(ctx context.Context, j *job, lock docker.Container) (bool, error) {
	switch age := j.age(lock.Created); {
	case age > b.Periods.Build:
		return true, nil
	case age <= b.Periods.Created:
		return false, nil
	}
	build, err := b.Engine.Inspect(ctx, metadata.BuildName(b.Prefix, lock.Labels[metadata.LabelDigest]))
	if errdefs.IsNotFound(err) {
		return true, nil
	}
	return err == nil && build.Ended(), err
}

// unlockCaches ends with err, or with the reason why the lock is still there.
func (b *Builder) unlockCaches(ctx context.Context, lockID string, err error) error {
	if lockID == "" {
		return err
	}
	return errors.Join(err, b.discard(ctx, lockID))
}
