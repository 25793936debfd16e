package imagebuild

import (
	"context"

	"fabric-builder-docker/internal/metadata"
)

// volumes makes sure of the plan's caches: path in the build container -> name of a volume.
func (b *Builder) volumes(ctx context.Context, j *job) (map[string]string, error) {
	volumes := map[string]string{}
	labels := map[string]string{metadata.LabelKind: metadata.KindCache, metadata.LabelVersion: b.Version}
	for _, cache := range j.plan.Caches {
		if cache.Name == "" {
			continue
		}
		volumes[cache.Path] = metadata.CacheName(b.Prefix, cache.Name+"-"+cacheKey(j.builder, cache.Environment))
		if err := b.Engine.EnsureVolume(ctx, volumes[cache.Path], labels); err != nil {
			return nil, err
		}
	}
	return volumes, nil
}
