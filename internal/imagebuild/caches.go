package imagebuild

import (
	"context"

	"fabric-builder-docker/internal/metadata"
)

// volumes creates the plan's cache volumes if they do not exist. It returns their names, keyed by mount point in the build
// container.
func (b *Builder) volumes(ctx context.Context, j *job) (map[string]string, error) {
	volumes := map[string]string{}
	labels := map[string]string{metadata.LabelKind: metadata.KindCache, metadata.LabelVersion: b.Version}
	for _, cache := range j.plan.Caches {
		if cache.Name == "" {
			continue
		}
		volume := metadata.CacheName(b.Prefix, cache.Name+"-"+cacheKey(j.builder, cache.Environment))
		if err := b.Engine.EnsureVolume(ctx, volume, labels); err != nil {
			return nil, err
		}
		volumes[cache.Path] = volume
	}
	return volumes, nil
}
