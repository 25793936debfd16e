package imagebuild

import (
	"context"
	"path"
	"slices"

	"github.com/containerd/errdefs"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/tlsfiles"
)

// look lets read see what is in an image: in a container of it that is never started, and gone afterwards.
func (b *Builder) look(ctx context.Context, image string, read func(id string) error) error {
	id, _, err := b.Engine.Claim(ctx, docker.Spec{
		Name:    metadata.AssemblyName(b.Prefix, metadata.NewInstallToken()),
		Image:   image,
		Command: []string{"/bin/sh"}, // an image without a command cannot be created from; this one never starts
		Labels:  map[string]string{metadata.LabelKind: metadata.KindAssembly, metadata.LabelVersion: b.Version},
	})
	if err != nil {
		return err
	}
	defer b.discard(ctx, id)
	return read(id)
}

// facts are what run has to know of an image, and a look into it tells.
type facts struct {
	tlsByInput bool            // see [Image]
	user       *metadata.Owner // whom it runs as, if not tlsByInput
}

// factsIn looks into a container that becomes an image. The user is asked for last, and only where the TLS files go by
// archive: for a user by name the engine has to pack a file, which takes some 40 ms.
func (b *Builder) factsIn(ctx context.Context, j *job, id string) (facts, error) {
	byInput, err := b.takesTLSByInput(ctx, id)
	switch {
	case byInput:
		return facts{tlsByInput: true}, nil
	case errdefs.IsNotFound(err) || ctx.Err() != nil:
		return facts{}, err
	case err != nil:
		b.Log.Debug("the image cannot be looked into: its TLS files go by archive", "error", err)
	}
	user, err := OwnerIn(ctx, b.Engine, id, j.plan.Runtime.Name, j.runtime.User)
	return facts{user: &user}, err
}

// takesTLSByInput says whether a shell can take a chaincode's TLS files from standard input, and hides nothing with them.
func (b *Builder) takesTLSByInput(ctx context.Context, id string) (bool, error) {
	shell, err := b.Engine.Executable(ctx, id, "/bin/sh")
	if err != nil || !slices.Contains(tlsfiles.Shells, path.Base(shell)) {
		return false, err
	}
	taken, err := b.Engine.Exists(ctx, id, tlsfiles.Dir)
	return err == nil && !taken, err
}
