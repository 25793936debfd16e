package imagebuild

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"fabric-builder-docker/internal/baseimage"
	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// labelUser is the label of an image whose chaincode gets its TLS files as an archive. It records the user of the image as
// UID:GID, so that later builds need not look it up.
const labelUser = "fabric-builder-docker.user"

// labelTLSByInput is the label that is "true" on images whose chaincode gets its TLS files through standard input. See
// [Image].
const labelTLSByInput = "fabric-builder-docker.tls-by-input"

// assembly describes how to make the image of a job: create a container from base, fill it without starting it, and commit
// it.
type assembly struct {
	base string // name of an image
	fill func(ctx context.Context, id string) error
}

// assembleOutput makes the image from the runtime image and the output of a build container that has exited.
func (b *Builder) assembleOutput(ctx context.Context, j *job, buildID string) error {
	return b.assemble(ctx, j, assembly{
		base: j.plan.Runtime.Name,
		fill: func(ctx context.Context, id string) error { return b.transfer(ctx, j, buildID, id) },
	})
}

// assemble makes the image of a job. It retries once if a prune removed a container or an image that it needs.
func (b *Builder) assemble(ctx context.Context, j *job, a assembly) error {
	err := b.tryAssemble(ctx, j, a)
	if docker.IsGone(err) && ctx.Err() == nil {
		b.Log.Warn("a container or an image was removed from the engine while the image was assembled: retrying", "error", err)
		err = b.tryAssemble(ctx, j, a)
	}
	return err
}

// tryAssemble makes the image in a container whose name is a lock. If another builder holds the lock, it waits for that
// builder to make the image.
func (b *Builder) tryAssemble(ctx context.Context, j *job, a assembly) error {
	spec := docker.Spec{
		Name:    metadata.AssemblyName(b.Prefix, j.digest),
		Image:   a.base,
		Command: []string{"/bin/sh"}, // never starts, but engines create no container without a command
		Labels:  b.labels(j, metadata.KindAssembly),
	}
	for {
		id, other, err := b.Engine.CreateOrInspect(ctx, spec)
		if err != nil {
			return err
		}
		if other == nil {
			defer b.discard(ctx, id)
			if exists, err := b.exists(ctx, j); err != nil || exists {
				return err
			}
			return b.commit(ctx, j, a, id)
		}
		if made, err := b.awaitAssembly(ctx, j, *other); err != nil || made {
			return err
		}
	}
}

// awaitAssembly waits for another builder to make the image. If that builder's container is gone, or so old that the
// builder must have died, it removes the container and returns whether the image exists.
func (b *Builder) awaitAssembly(ctx context.Context, j *job, other docker.Container) (made bool, err error) {
	for began, clockSet := time.Now(), false; ; {
		if exists, err := b.exists(ctx, j); err != nil || exists {
			return exists, err
		}
		if _, err := b.Engine.Inspect(ctx, other.ID); errors.Is(err, docker.ErrNoContainer) {
			break
		}
		if !clockSet && time.Since(began) >= b.Periods.Poll { // reading the clock is slow, and most images are made by then
			if err := b.setClock(ctx, j); err != nil {
				return false, err
			}
			clockSet = true
		}
		if clockSet && j.age(other.Created) >= b.Periods.Assembly {
			break
		}
		if err := b.backoff(ctx, began); err != nil {
			return false, err
		}
	}
	if err := b.Engine.Remove(ctx, other.ID); err != nil {
		return false, err
	}
	return b.exists(ctx, j)
}

// commit fills the container and commits it as the image.
func (b *Builder) commit(ctx context.Context, j *job, a assembly, id string) error {
	if err := a.fill(ctx, id); err != nil {
		return err
	}
	if j.kind == metadata.KindSnapshot {
		return b.Engine.Commit(ctx, id, j.image, []string{label(metadata.LabelKind, j.kind), label(labelScript, j.script)})
	}
	image, err := b.probe(ctx, j, id)
	if err != nil {
		return err
	}
	if err := b.Engine.Commit(ctx, id, j.image, j.changes(image)); err != nil {
		return err
	}
	j.made = &image
	return nil
}

// changes returns the Dockerfile instructions for the metadata of a chaincode's image: what the built-in controller sets,
// and what [Builder.find] reads.
func (j *job) changes(image Image) []string {
	changes := []string{
		label(metadata.LabelKind, j.kind),
		label(metadata.LabelChaincodeType, strings.ToUpper(j.plan.Type)),
		label(metadata.LabelFabricVersion, j.plan.FabricVersion),
		"ENV CORE_CHAINCODE_BUILDLEVEL=" + j.plan.FabricVersion,
		label(labelTLSByInput, strconv.FormatBool(image.TLSByInput)),
	}
	if image.User != nil {
		changes = append(changes, label(labelUser, fmt.Sprintf("%d:%d", image.User.UID, image.User.GID)))
	}
	return changes
}

// probe reads from a container that becomes an image what run must know: how the chaincode gets its TLS files and, if as an
// archive, its user. It looks up the user only then, because for a user name the engine packs a file, which takes 40 ms.
func (b *Builder) probe(ctx context.Context, j *job, id string) (Image, error) {
	byInput, err := baseimage.TakesTLSByInput(ctx, b.Engine, id)
	switch {
	case byInput:
		return Image{Name: j.image, TLSByInput: true, Entrypoint: j.runtime.Entrypoint}, nil
	case docker.IsGone(err) || ctx.Err() != nil:
		return Image{}, err
	case err != nil:
		b.Log.Debug("cannot tell whether the image takes TLS files on standard input: they will be uploaded as an archive", "error", err)
	}
	user, err := baseimage.ResolveUser(ctx, b.Engine, id, j.plan.Runtime.Name, j.runtime.User)
	return Image{Name: j.image, User: &user}, err
}

// label returns a Dockerfile instruction that sets a label.
func label(key, value string) string {
	return "LABEL " + strconv.Quote(key) + "=" + strconv.Quote(value)
}

// transfer streams the output from the build container to the container that becomes the image. It opens both ends at the
// same time, because some engines are slow to open each.
func (b *Builder) transfer(ctx context.Context, j *job, buildID, id string) error {
	reader, writer := io.Pipe()
	filtered := make(chan error, 1)
	go func() {
		err := b.filterOutput(ctx, j, buildID, writer)
		writer.CloseWithError(err)
		filtered <- err
	}()
	err := b.Engine.Upload(ctx, id, "/", reader)
	reader.Close() // stops the filter if the engine has stopped reading
	if filterErr := <-filtered; filterErr != nil && !errors.Is(filterErr, io.ErrClosedPipe) {
		return filterErr
	}
	return err
}

// filterOutput writes the output of a build as a tar to be unpacked in the image.
func (b *Builder) filterOutput(ctx context.Context, j *job, buildID string, w io.Writer) error {
	output, err := b.Engine.Download(ctx, buildID, platform.OutputDir)
	if err != nil {
		return err
	}
	defer output.Close()
	if err := content.FilterOutput(output, w, j.plan.Target); err != nil {
		return fmt.Errorf("copying the build's output: %w", err)
	}
	return nil
}
