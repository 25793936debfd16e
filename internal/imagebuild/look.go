package imagebuild

import (
	"context"
	"path"
	"slices"
	"sync"

	"github.com/containerd/errdefs"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/tlsfiles"
)

// look lets read see what is in an image: in a container of it that is never started, and gone afterwards.
func (b *Builder) look(ctx context.Context, image string, read func(id string) error) error {
	name := metadata.AssemblyName(b.Prefix, metadata.NewInstallToken())
	labels := map[string]string{metadata.LabelKind: metadata.KindAssembly, metadata.LabelVersion: b.Version}
	return b.lookIn(ctx, docker.Spec{Name: name, Image: image, Labels: labels}, read)
}

// lookIn is look with a container of that name. One that somebody has left is as good, and goes, too.
func (b *Builder) lookIn(ctx context.Context, spec docker.Spec, read func(id string) error) (err error) {
	spec.Command = []string{"/bin/sh"} // an image without a command cannot be created from; this one never starts
	id, left, err := b.Engine.Claim(ctx, spec)
	if err != nil {
		return err
	}
	if left != nil {
		id = left.ID
	}
	defer func() {
		if discardErr := b.discard(ctx, id); err == nil {
			err = discardErr
		}
	}()
	return read(id)
}

// facts are what run has to know of an image, and a look into it tells.
type facts struct {
	user       metadata.Owner // whom it runs as
	tlsByInput bool           // see [Image]
}

// lookAhead looks into the runtime image while the build goes on. What goes wrong there is met again when the image is
// made. The caller waits before it reads the job, and before it ends. The name is that of the content, so that whoever
// takes over from a builder that was killed removes what it has left.
func (b *Builder) lookAhead(ctx context.Context, j *job) *sync.WaitGroup {
	var looking sync.WaitGroup
	looking.Go(func() {
		spec := docker.Spec{
			Name: metadata.LookName(b.Prefix, j.digest), Image: j.plan.Runtime.Name, Labels: b.labels(j, metadata.KindAssembly),
		}
		b.lookIn(ctx, spec, func(id string) error {
			found, err := b.factsIn(ctx, j, id)
			if err == nil {
				j.facts = &found
			}
			return err
		})
	})
	return &looking
}

// factsIn looks into a container of the runtime image, or one that was filled with a build's output.
func (b *Builder) factsIn(ctx context.Context, j *job, id string) (found facts, err error) {
	if found.user, err = b.userIn(ctx, id, j.plan.Runtime.Name, j.runtime.User); err != nil {
		return facts{}, err
	}
	found.tlsByInput, err = b.takesTLSByInput(ctx, id)
	if err != nil && ctx.Err() == nil && !errdefs.IsNotFound(err) {
		b.Log.Debug("the image cannot be looked into: its TLS files go by archive", "error", err)
		err = nil
	}
	return found, err
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
