// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// volumes creates the plan's cache volumes if they do not exist. It returns their names, keyed by mount point in the build
// container.
func (b *Builder) volumes(ctx context.Context, j *job) (map[string]string, error) {
	volumes := map[string]string{}
	labels := map[string]string{metadata.LabelKind: metadata.KindCache, metadata.LabelVersion: b.Version}
	for path, volume := range CacheVolumes(b.Prefix, j.plan, j.builder) {
		if err := b.Engine.EnsureVolume(ctx, volume, labels); err != nil {
			return nil, err
		}
		volumes[path] = volume
	}
	return volumes, nil
}

// CacheVolumes returns the names of a plan's cache volumes, keyed by mount point, for builds in that builder image.
func CacheVolumes(prefix string, plan platform.Plan, builder docker.Image) map[string]string {
	volumes := map[string]string{}
	for _, cache := range plan.Caches {
		if cache.Name != "" {
			volumes[cache.Path] = metadata.CacheName(prefix, cache.Name+"-"+cacheKey(builder, cache.Environment))
		}
	}
	return volumes
}
