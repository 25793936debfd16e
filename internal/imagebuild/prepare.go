package imagebuild

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// prepare makes sure of the base images and computes the content digest.
func (b *Builder) prepare(ctx context.Context, plan platform.Plan, pkg *content.Package, label string) (*job, error) {
	builder, runtime, err := b.baseImages(ctx, &plan)
	if err != nil {
		return nil, err
	}
	if err := checkVolumes(plan, runtime); err != nil {
		return nil, err
	}
	j := &job{plan: plan, pkg: pkg.Without(plan.LeftOut...), label: label, builder: builder, runtime: runtime, kind: metadata.KindChaincode}
	return j.named(b.Prefix), nil
}

// named completes a job with what follows from its content.
func (j *job) named(prefix string) *job {
	return j.identified(prefix, contentDigest(j.plan, j.pkg, j.builder, j.runtime))
}

func (j *job) identified(prefix, digest string) *job {
	j.digest = digest
	j.image = metadata.ImageName(prefix, j.plan.Type, digest)
	j.lock = metadata.BuildName(prefix, digest)
	return j
}

// baseImages makes sure of both images of a build. Where they are one it is asked for once.
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
