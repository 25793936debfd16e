// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"errors"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// Anew makes the image of a package anew, and the snapshot that it is made of, whether they exist or not: what the package does
// not pin is chosen again. Both are made under names of their own, so that no other builder follows or uses them, and take the
// place of those that other builders and peers use only at the end, one at a time and each in one step.
func (b *Builder) Anew(ctx context.Context, plan platform.Plan, pkg *content.Package, label string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, b.Periods.Build, ErrTimeout)
	defer cancel()
	defer b.noteEnd(ctx)()
	b.beginOutput(label)
	b.anew = true
	defer b.inBackground(ctx, b.removeLeftImages)()
	build := b.buildAnew
	switch plan.Kind {
	case platform.Prebuilt:
		b.Log.Info("nothing to make anew: the package names its image by a digest", "image", plan.Runtime.Name)
		return nil
	case platform.Service:
		b.Log.Info("nothing to make anew: the chaincode runs as a service, which has no image here", "type", plan.Type)
		return nil
	case platform.Dockerfile:
		build = func(ctx context.Context, plan platform.Plan, pkg *content.Package, label string) error {
			_, err := b.dockerfile(ctx, plan, pkg, label)
			return err
		}
	}
	stop := b.heartbeat(ctx, label)
	err := b.insist(ctx, func() error { return build(ctx, plan, pkg, label) })
	stop()
	err = b.explain(ctx, err)
	b.endOutput(err)
	return err
}

// buildAnew makes the image of a package that is built in a container. It uses the base images on the engine whatever the pull
// policy: others would give the image another name, which no installed chaincode uses.
func (b *Builder) buildAnew(ctx context.Context, plan platform.Plan, pkg *content.Package, label string) (err error) {
	if b.Pulls.Policy == config.PullAlways {
		b.Pulls.Policy = config.PullMissing
	}
	j, err := b.newJob(ctx, plan, pkg, label)
	if err != nil {
		return err
	}
	defer j.lookup.close()
	j.makeAnew(b.Prefix)
	defer func() {
		if err != nil {
			b.forgetAnew(ctx, j)
		}
	}()
	defer b.sweep(ctx)()
	made, err := b.onSnapshot(ctx, j)
	if err == nil && !made {
		err = b.buildPackage(ctx, j)
	}
	if err != nil {
		return err
	}
	if err := b.replace(ctx, j.image, j.final); err != nil {
		return err
	}
	return b.replaceSnapshot(ctx, j.below)
}

// makeAnew lets the job make its image under a name of its own, with a lock of its own.
func (j *job) makeAnew(prefix string) {
	id := metadata.RandomID()
	j.final, j.image = j.image, metadata.TemporaryName(j.image)
	j.digest, j.lock = id, metadata.BuildName(prefix, id)
}

// finalName returns the name that the job's image has in the end.
func (j *job) finalName() string {
	if j.final != "" {
		return j.final
	}
	return j.image
}

// forgetAnew removes what was made anew, if anything was.
func (b *Builder) forgetAnew(ctx context.Context, j *job) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.cleanupLeft())
	defer cancel()
	for _, made := range []*job{j, j.below} {
		if made == nil {
			continue
		}
		if err := b.Engine.Untag(ctx, made.image); err != nil {
			b.Log.Warn("an image that was made anew is left", "image", made.image, "error", err)
		}
	}
}

// replaceSnapshot replaces a snapshot that was made anew. There is none if dependencies and code were built together, or if it
// held too few downloads to be kept.
func (b *Builder) replaceSnapshot(ctx context.Context, s *job) error {
	if s == nil {
		return nil
	}
	if exists, err := b.exists(ctx, s); err != nil || !exists {
		return err
	}
	return b.replace(ctx, s.image, s.final)
}

// replace gives an image the name of another one, which loses it in the same step: the name may be in use at any time. Only
// containerd's store takes the name away first, for some milliseconds: whoever needs the image then looks again, or makes it.
// The other image is removed unless it has more names, or a container uses it.
func (b *Builder) replace(ctx context.Context, made, name string) error {
	image, err := b.Engine.Image(ctx, made)
	if err != nil {
		return err
	}
	old, err := b.Engine.Image(ctx, name)
	if err != nil && !errors.Is(err, docker.ErrNoImage) {
		return err
	}
	if err := b.Engine.Tag(ctx, made, name); err != nil {
		return err
	}
	cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.cleanupLeft())
	defer cancel()
	if err := b.Engine.Untag(cleanup, made); err != nil {
		return err
	}
	switch old.ID {
	case "":
		b.Log.Warn("there was no image of this name: it was removed, or the package was installed with other settings, variables or base images",
			"image", name, "image_id", image.ID)
		return nil
	case image.ID:
		b.Log.Info("made the image anew: it is the same as before", "image", name, "image_id", image.ID)
		return nil
	}
	b.Log.Info("made the image anew: chaincodes use it from their next launch on", "image", name, "image_id", image.ID, "replaced", old.ID)
	if err := b.Engine.RemoveUnnamed(cleanup, old.ID); err != nil {
		b.Log.Info("the replaced image stays, without a name: a container uses it", "image_id", old.ID, "reason", err)
	}
	return nil
}

// checkStartable returns an error if an image has nothing to start.
func checkStartable(image docker.Image) error {
	if len(image.Entrypoint)+len(image.Command) == 0 {
		return errors.New("the package's Dockerfile has neither ENTRYPOINT nor CMD: its image has nothing to start")
	}
	return nil
}

// replaceBuilt replaces the image of a Dockerfile, unless the new one cannot be started.
func (b *Builder) replaceBuilt(ctx context.Context, made, name string) error {
	image, err := b.Engine.Image(ctx, made)
	if err != nil {
		return err
	}
	if err := checkStartable(image); err != nil {
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.cleanupLeft())
		defer cancel()
		return errors.Join(err, b.Engine.Untag(cleanup, made))
	}
	return b.replace(ctx, made, name)
}

// logUnpinned says how a package gets other versions of what it does not pin.
func (b *Builder) logUnpinned(plan platform.Plan, chosen string) {
	if plan.Unpinned != "" {
		b.Log.Info(chosen+": to get newer ones, use build --anew PACKAGE.tar.gz", "reason", plan.Unpinned)
	}
}
