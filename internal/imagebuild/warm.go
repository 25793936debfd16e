// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"slices"

	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// Warm does the slowest parts of a package's first build ahead of time: it pulls base images, and fills caches or makes the
// snapshot of the dependencies. It makes no chaincode image.
func (b *Builder) Warm(ctx context.Context, plan platform.Plan, pkg *content.Package, label string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, b.Periods.Build, ErrTimeout)
	defer cancel()
	defer b.noteEnd(ctx)()
	b.beginOutput(label)
	defer b.heartbeat(ctx, label)()
	err := b.explain(ctx, b.insist(ctx, func() error { return b.warm(ctx, plan, pkg, label) }))
	b.endOutput(err)
	return err
}

func (b *Builder) warm(ctx context.Context, plan platform.Plan, pkg *content.Package, label string) error {
	switch plan.Kind {
	case platform.Prebuilt:
		_, err := b.images().Ensure(ctx, "chaincode", &plan.Runtime)
		return err
	case platform.Dockerfile, platform.Service:
		b.Log.Info("nothing can be done ahead of the install for this type of package", "type", plan.Type)
		return nil
	}
	j, err := b.newJob(ctx, plan, pkg, label)
	if err != nil {
		return err
	}
	defer j.lookup.close()
	if plan.Base == nil { // an image that is built in, not added to
		if _, err := j.lookup.get(); err != nil {
			return err
		}
		j.lookup.wait(b.Periods.Build)
	}
	switch {
	case plan.Base != nil:
		_, err := b.ensureBase(ctx, j, *plan.Base)
		return err
	case plan.Snapshot != nil:
		return b.warmSnapshot(ctx, j)
	case !slices.ContainsFunc(plan.Caches, func(c platform.Cache) bool { return c.Name != "" }):
		b.Log.Info("the base images are on the engine, and this package has no cache to fill", "type", plan.Type, "reason", plan.NoSnapshotReason)
		return nil
	}
	j.warm = true
	j.setDigest(b.Prefix, metadata.RandomID()) // a build of the same content must not follow this one
	return b.buildPackage(ctx, j)
}

func (b *Builder) warmSnapshot(ctx context.Context, j *job) error {
	s := b.snapshotJob(j)
	snapshot, err := b.ensureSnapshot(ctx, s)
	if reason := s.noSnapshot(err); reason != nil {
		b.Log.Info("the dependencies cannot be installed ahead of the code", "reason", reason)
		return nil
	}
	if err != nil || s.resolves { // nothing is added to a snapshot of downloads
		return err
	}
	lookup := b.newLookup(ctx, snapshot, j.plan.Target)
	defer lookup.close()
	b.learnBlobs(j, addition{below: snapshot, lookup: lookup}, b.Periods.Build)
	return nil
}
