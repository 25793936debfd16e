package imagebuild

import (
	"context"
	"errors"
	"slices"

	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// Warm does ahead of time what a first build of such a package takes longest for: base images are pulled, and caches
// or the snapshot of dependencies are made. No image of a chaincode is.
func (b *Builder) Warm(ctx context.Context, plan platform.Plan, pkg *content.Package, label string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, b.Periods.Build, ErrTimeout)
	defer cancel()
	return b.explain(ctx, b.warm(ctx, plan, pkg, label))
}

func (b *Builder) warm(ctx context.Context, plan platform.Plan, pkg *content.Package, label string) error {
	switch plan.Kind {
	case platform.Prebuilt:
		_, err := b.images().Ensure(ctx, "chaincode", &plan.Runtime)
		return err
	case platform.Dockerfile, platform.Service:
		b.Log.Info("nothing of such a package can be done ahead of its install", "type", plan.Type)
		return nil
	}
	j, err := b.prepare(ctx, plan, pkg, label)
	switch {
	case err != nil:
		return err
	case plan.Snapshot != nil:
		return b.warmSnapshot(ctx, j)
	case !slices.ContainsFunc(plan.Caches, func(c platform.Cache) bool { return c.Name != "" }):
		b.Log.Info("such a package has no cache to fill: its base images are there", "type", plan.Type, "reason", plan.NoSnapshotReason)
		return nil
	}
	j.warm = true
	return b.produce(ctx, j.identified(b.Prefix, metadata.RandomID())) // a real build of the same must not follow this one
}

func (b *Builder) warmSnapshot(ctx context.Context, j *job) error {
	err := b.snapshot(ctx, b.snapshotOf(j))
	var unknown unknownScript
	if errors.As(err, &unknown) {
		b.Log.Info("the dependencies cannot be installed ahead of the code", "reason", unknown)
		return nil
	}
	return err
}
