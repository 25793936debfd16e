package imagebuild

import (
	"context"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
)

// look lets read see what is in an image: in a container of it that is never started, and gone afterwards.
func (b *Builder) look(ctx context.Context, image string, read func(id string) error) (err error) {
	id, _, err := b.Engine.Claim(ctx, docker.Spec{
		Name:    metadata.AssemblyName(b.Prefix, metadata.NewInstallToken()),
		Image:   image,
		Command: []string{"/bin/sh"}, // an image without a command cannot be created from; this one never starts
		Labels:  map[string]string{metadata.LabelKind: metadata.KindAssembly, metadata.LabelVersion: b.Version},
	})
	if err != nil {
		return err
	}
	defer func() {
		if discardErr := b.discard(ctx, id); err == nil {
			err = discardErr
		}
	}()
	return read(id)
}
