package imagebuild

import (
	"context"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
)

// volumes makes sure of the plan's cache volumes and returns their names by their path in the build container.
func (b *Builder) volumes(ctx context.Context, j *job) (map[string]docker.Volume, error) {
	volumes := map[string]docker.Volume{}
	labels := map[string]string{metadata.LabelKind: metadata.KindCache, metadata.LabelVersion: b.Version}
	for _, cache := range j.plan.Caches {
		if cache.Name == "" {
			continue
		}
		volume := docker.Volume{Name: metadata.CacheName(b.Prefix, cache.Name+"-"+cacheKey(j.builder, cache.Environment)), ReadOnly: cache.ReadOnly}
		if err := b.Engine.EnsureVolume(ctx, volume.Name, labels); err != nil {
			return nil, err
		}
		volumes[cache.Path] = volume
	}
	return volumes, nil
}
