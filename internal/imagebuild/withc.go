package imagebuild

import (
	"context"
	"errors"

	"fabric-builder-docker/internal/baseimage"
	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// buildPackage makes the image of a job. If the package turns out to need a C compiler or an external linker, the job's
// plan for that takes over: such a build may run any code, so it shares nothing that another package reads.
func (b *Builder) buildPackage(ctx context.Context, j *job) error {
	err := b.makeImage(ctx, j)
	if !j.needsC(err) {
		return err
	}
	b.Log.Info("the package needs a C compiler or an external linker: building it without a network", "type", j.plan.Type, "image", j.image)
	c := *j
	c.plan.WithC, c.lock = nil, j.lock+"-c"
	c.plan.Command, c.plan.Environment, c.plan.Caches = j.plan.WithC.Command, j.plan.WithC.Environment, j.plan.WithC.Caches
	c.plan.RunsNoCode, c.plan.NoNetwork = j.plan.WithC.RunsNoCode, j.plan.WithC.NoNetwork
	if c.plan.Builder.Name, err = b.ensureBase(ctx, j, *j.plan.WithC.Base); err != nil {
		return err
	}
	return b.makeImage(ctx, &c)
}

// needsC reports whether that is why the build ended.
func (j *job) needsC(err error) bool {
	var failed *Failed
	return j.plan.WithC != nil && errors.As(err, &failed) && failed.Status == platform.NeedsC
}

// ensureBase makes sure of the image that a plan says to build in, and returns its name. It is made from the builder image
// of the job, without the package.
func (b *Builder) ensureBase(ctx context.Context, j *job, plan platform.Plan) (string, error) {
	plan.Builder, plan.Runtime = j.plan.Builder, j.plan.Builder
	base := &job{
		plan: plan, pkg: &content.Package{}, label: j.label, builder: j.builder, runtime: j.builder,
		kind: metadata.KindSnapshot, script: baseimage.NoScript,
	}
	base.setDigest(b.Prefix, contentDigest(plan, base.pkg, base.builder, base.runtime))
	if exists, err := b.exists(ctx, base); err != nil || exists {
		return base.image, err
	}
	return base.image, b.makeImage(ctx, base)
}
