// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"fabric-builder-docker/internal/baseimage"
	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// job is the build of one image.
type job struct {
	plan      platform.Plan
	pkg       *content.Package // the files to upload
	label     string
	builder   docker.Image
	runtime   docker.Image
	digest    string
	image     string              // name of the image to make
	final     string              // name that the image takes in the end; empty: image
	below     *job                // makes the snapshot anew, see [Builder.Anew]; nil: it is not made anew
	lock      string              // name of the build container of the first attempt
	name      string              // of the build container of the attempt that is led or followed
	leads     time.Time           // since when this builder leads it
	kind      string              // of the image
	warm      bool                // fill caches only, make no image
	script    string              // of a snapshot: SHA-256 of the builder image's script, or [baseimage.NoScript]
	resolves  bool                // the image is a snapshot of downloads
	snapshot  string              // name of the snapshot of the dependencies that the package is built on or in; empty: none
	downloads *platform.Downloads // what the build has downloaded; nil: not known
	phase1    string              // ID of this builder's container in which the package turned out to need C
	lookup    *baseLookup         // what is known of the runtime image
	made      *Image              // nil unless this builder has loaded the image
}

// newJob pulls the base images if necessary and computes the content digest. The caller must close the job's base.
func (b *Builder) newJob(ctx context.Context, plan platform.Plan, pkg *content.Package, label string) (*job, error) {
	builder, runtime, err := b.baseImages(ctx, &plan)
	if err != nil {
		return nil, err
	}
	if err := checkVolumes(plan, runtime); err != nil {
		return nil, err
	}
	j := &job{plan: plan, pkg: pkg.Without(plan.LeftOut...), label: label, builder: builder, runtime: runtime, kind: metadata.KindChaincode}
	j.lookup = b.newLookup(ctx, runtime, plan.Target)
	j.setDigest(b.Prefix, contentDigest(j.plan, j.pkg, j.builder, j.runtime))
	return j, nil
}

// setDigest sets the digest and the names that contain it.
func (j *job) setDigest(prefix, digest string) {
	j.digest = digest
	j.image = metadata.ImageName(prefix, j.plan.Type, digest)
	j.lock = metadata.BuildName(prefix, digest)
}

// baseImages pulls and inspects the builder and runtime images. If they are the same image, it does so only once.
func (b *Builder) baseImages(ctx context.Context, plan *platform.Plan) (builder, runtime docker.Image, err error) {
	same := plan.Builder.Name == plan.Runtime.Name
	if builder, err = b.images().Ensure(ctx, "builder", &plan.Builder); err != nil {
		return docker.Image{}, docker.Image{}, err
	}
	if same {
		plan.Runtime.Name = plan.Builder.Name
		return builder, builder, nil
	}
	runtime, err = b.images().Ensure(ctx, "runtime", &plan.Runtime)
	return builder, runtime, err
}

// checkVolumes returns an error if the runtime image declares a volume at, above or below the target: a commit does not
// include the contents of volumes, so the chaincode, or its files there, would be missing from the image.
func checkVolumes(plan platform.Plan, runtime docker.Image) error {
	for _, declared := range runtime.Volumes {
		volume := path.Clean(declared)
		if isWithin(plan.Target, volume) || isWithin(volume, plan.Target) {
			return fmt.Errorf("the runtime image %q declares a volume on %s, which would hide files of the chaincode in %s: set %s to an image without it",
				plan.Runtime.Name, volume, plan.Target, plan.Runtime.Setting)
		}
	}
	return nil
}

// isWithin reports whether a path is dir or below it.
func isWithin(name, dir string) bool {
	return name == dir || strings.HasPrefix(name, strings.TrimSuffix(dir, "/")+"/")
}

// exists reports whether the image of a job exists.
func (b *Builder) exists(ctx context.Context, j *job) (bool, error) {
	_, err := b.Engine.Image(ctx, j.image)
	if errors.Is(err, docker.ErrNoImage) {
		return false, nil
	}
	return err == nil, err
}

// find returns the image of a job as its labels describe it, and whether it exists.
func (b *Builder) find(ctx context.Context, j *job) (Image, bool, error) {
	found, err := b.Engine.Image(ctx, j.image)
	if errors.Is(err, docker.ErrNoImage) {
		return Image{}, false, nil
	}
	if err != nil {
		return Image{}, false, err
	}
	image := Image{Name: j.image, ID: found.ID}
	if found.Labels[labelTLSByInput] == "true" {
		image.TLSByInput, image.Entrypoint = true, found.Entrypoint
	}
	if user, ok := found.Labels[labelUser]; ok {
		owner, err := baseimage.ParseUIDGID(user)
		if err != nil {
			return Image{}, false, fmt.Errorf("reading label %s of image %q: %w", labelUser, j.image, err)
		}
		image.User = &owner
	}
	return image, true, nil
}

// task is what a job does, as the log calls it at its beginning and at its end.
type task struct{ begins, done string }

func (j *job) task() task {
	switch {
	case j.warm:
		return task{"filling the cache", "the cache is filled"}
	case j.resolves:
		return task{"downloading the dependencies ahead of the code, with a build that does not get the code and may fail",
			"the build without the code has ended: its downloads are kept"}
	case j.kind == metadata.KindSnapshot:
		return task{"installing the dependencies ahead of the code", "the dependencies are installed"}
	}
	return task{"building", "the code is built"}
}

// about appends the image that a job makes to keys and values for the log.
func (j *job) about(fields ...any) []any {
	switch {
	case j.warm:
		return fields
	case j.kind == metadata.KindSnapshot:
		return append(fields, "snapshot", j.image)
	}
	return append(fields, "image", j.image)
}

// linePrefix returns the prefix for every line that the build of a package with a label prints.
func linePrefix(label string) string {
	if label == "" {
		return ""
	}
	return label + " | "
}

// isBuiltIn reports whether a builder of the same content has created a container. Anybody else can give a container the name
// of one.
func (j *job) isBuiltIn(container docker.Container) bool {
	return container.Labels[metadata.LabelKind] == metadata.KindBuild && container.Labels[metadata.LabelDigest] == j.digest
}
