// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"errors"
	"io"

	"fabric-builder-docker/internal/baseimage"
	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// buildPackage makes the image of a job. If the package turns out to need a C compiler or an external linker, it builds with
// plan.WithC instead. Such a build may run any code, so it shares nothing that another package reads.
func (b *Builder) buildPackage(ctx context.Context, j *job) error {
	err := b.makeImage(ctx, j)
	if !j.needsC(err) {
		return err
	}
	if j.phase1 != "" { // not earlier: builders that start meanwhile read its exit status instead of building without C first
		defer b.discard(ctx, j.phase1)
	}
	b.Log.Info("the package needs a C compiler or an external linker: building it without a network", "type", j.plan.Type, "image", j.image)
	c := *j
	c.plan, c.lock = step(j.plan, j.plan.WithC), j.lock+"-c"
	if c.plan.Modules = j.plan.WithC.Modules; c.plan.Modules != nil {
		modules := step(j.plan, c.plan.Modules)
		c.plan.Modules = &modules
	}
	if c.builder, err = b.ensureBase(ctx, j, *j.plan.WithC.Base); err != nil {
		return err
	}
	c.plan.Builder.Name = c.builder.Name
	err = b.makeImage(ctx, &c)
	j.made = c.made
	return err
}

// step returns plan with the command, environment, caches and network of another plan for the same package.
func step(plan platform.Plan, other *platform.Plan) platform.Plan {
	plan.WithC = nil
	plan.Command, plan.Environment, plan.Caches = other.Command, other.Environment, other.Caches
	plan.RunsNoCode, plan.NoNetwork, plan.Given = other.RunsNoCode, other.NoNetwork, other.Given
	return plan
}

// collectorName returns the name of the container that collects the modules for a build container.
func collectorName(build string) string { return build + "-modules" }

// uploadModules collects the modules of a package in a container with a network, and uploads them into the build container,
// which has none. The caller must call discard when the build has ended.
func (b *Builder) uploadModules(ctx context.Context, j *job, id string) (discard func(), err error) {
	if j.plan.Modules == nil {
		return func() {}, nil
	}
	m := *j
	m.plan, m.name = *j.plan.Modules, collectorName(j.name)
	collector, err := b.createCollector(ctx, &m)
	if err != nil {
		return nil, err
	}
	discard = func() { b.discard(ctx, collector) }
	if err := b.run(ctx, &m, collector); err != nil {
		discard()
		return nil, err
	}
	if err := b.copyModules(ctx, collector, id); err != nil {
		discard()
		return nil, err
	}
	return discard, nil
}

// createCollector creates the container that collects modules. Its name only tells followers what the leader is doing: if a
// builder that may be alive has a container of that name, another name does.
func (b *Builder) createCollector(ctx context.Context, m *job) (string, error) {
	id, other, err := b.createBuildContainer(ctx, m)
	if err == nil && other != nil {
		m.name += "-" + metadata.RandomID()
		id, _, err = b.createBuildContainer(ctx, m)
	}
	return id, err
}

func (b *Builder) copyModules(ctx context.Context, collector, id string) error {
	modules, err := b.Engine.Download(ctx, collector, platform.OutputDir+"/mod")
	if err != nil {
		return err
	}
	defer modules.Close()
	return pipe(
		func(w io.Writer) error { return explainOutput(content.CopyOutput(modules, w, b.Limits.Output)) },
		func(r io.Reader) error { return b.Engine.Upload(ctx, id, platform.CacheDir, r) },
	)
}

// needsC reports whether a build failed because the package needs C.
func (j *job) needsC(err error) bool {
	var failed *Failed
	return j.plan.WithC != nil && errors.As(err, &failed) && failed.Status == platform.NeedsC
}

// ensureBase returns the image to build in, and makes it if it does not exist. The image is made from the job's builder
// image, without the package.
func (b *Builder) ensureBase(ctx context.Context, j *job, plan platform.Plan) (docker.Image, error) {
	plan.Builder, plan.Runtime = j.plan.Builder, j.plan.Builder
	base := &job{
		plan: plan, pkg: &content.Package{}, label: j.label, builder: j.builder, runtime: j.builder,
		kind: metadata.KindSnapshot, script: baseimage.NoScript,
		lookup: b.newLookup(ctx, j.builder, plan.Target),
	}
	base.lookup.runs = false
	defer base.lookup.close()
	base.setDigest(b.Prefix, contentDigest(plan, base.pkg, base.builder, base.runtime))
	found, err := b.Engine.Image(ctx, base.image)
	if !errors.Is(err, docker.ErrNoImage) {
		return found, err
	}
	if err := b.makeImage(ctx, base); err != nil {
		return docker.Image{}, err
	}
	return b.Engine.Image(ctx, base.image)
}
