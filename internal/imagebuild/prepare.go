package imagebuild

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/containerd/errdefs"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// prepare reads the package, makes sure of the base images and computes the content digest.
func (b *Builder) prepare(ctx context.Context, plan platform.Plan, source *os.Root, label string) (*job, error) {
	files, err := readPackage(source)
	if err != nil {
		return nil, fmt.Errorf("reading the package: %w", err)
	}
	builder, err := b.baseImage(ctx, "builder", plan.Builder)
	if err != nil {
		return nil, err
	}
	runtime, err := b.baseImage(ctx, "runtime", plan.Runtime)
	if err != nil {
		return nil, err
	}
	if err := checkVolumes(plan, runtime); err != nil {
		return nil, err
	}
	digest := contentDigest(plan, files, builder, runtime)
	return &job{
		plan: plan, source: source, files: files, label: label, digest: digest,
		image: metadata.ImageName(b.Prefix, plan.Type, digest),
		lock:  metadata.BuildName(b.Prefix, digest),
	}, nil
}

// baseImage inspects a base image, after pulling it where it is missing.
func (b *Builder) baseImage(ctx context.Context, role string, image platform.Image) (docker.Image, error) {
	found, err := b.Engine.Image(ctx, image.Name)
	if !errdefs.IsNotFound(err) {
		return found, err
	}
	b.Log.Info("pulling an image", "role", role, "image", image.Name)
	pullErr := b.Engine.Pull(ctx, image.Name, func(line string) { b.Log.Info("pulling", "image", image.Name, "status", line) })
	if pullErr == nil {
		return b.Engine.Image(ctx, image.Name)
	}
	// Not %w: a registry that does not know the image is no reason to start the build over.
	return docker.Image{}, fmt.Errorf("the %s image %q is not on the engine and cannot be had (%v): load it there, or set %s to another",
		role, image.Name, pullErr, image.Setting)
}

// checkVolumes refuses a runtime image that declares a volume where the output goes: a commit leaves out what stands
// in a volume, so the chaincode would be missing from the image.
func checkVolumes(plan platform.Plan, runtime docker.Image) error {
	slices.Sort(runtime.Volumes)
	for _, volume := range runtime.Volumes {
		if volume = strings.TrimSuffix(volume, "/"); plan.Target == volume || strings.HasPrefix(plan.Target, volume+"/") {
			return fmt.Errorf("the runtime image %q declares a volume on %s, which would hide the chaincode in %s: set %s to an image without it",
				plan.Runtime.Name, volume, plan.Target, plan.Runtime.Setting)
		}
	}
	return nil
}
