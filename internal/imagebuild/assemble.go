package imagebuild

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/containerd/errdefs"

	"fabric-builder-docker/internal/baseimage"
	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// labelUser is the image's label that says whom its processes run as, UID:GID, where its TLS files go by archive. It saves
// looking into the image again.
const labelUser = "fabric-builder-docker.user"

// labelTLSByInput is the image's label that says true where a chaincode can take its TLS files from standard input. See
// [Image].
const labelTLSByInput = "fabric-builder-docker.tls-by-input"

// assembly is how the image of a job is made: a container of base, which is never started, is filled and committed.
type assembly struct {
	base string // name of an image
	fill func(ctx context.Context, id string) error
}

// assembleOutput makes the image of an ended build container: the runtime image and the build's output.
func (b *Builder) assembleOutput(ctx context.Context, j *job, buildID string) error {
	return b.assemble(ctx, j, assembly{
		base: j.plan.Runtime.Name,
		fill: func(ctx context.Context, id string) error { return b.transfer(ctx, j, buildID, id) },
	})
}

// assemble makes the image of a job. The container's name is a lock, too. What a prune takes away in between is made
// once more.
func (b *Builder) assemble(ctx context.Context, j *job, a assembly) error {
	err := b.tryAssemble(ctx, j, a)
	if errdefs.IsNotFound(err) && ctx.Err() == nil {
		b.Log.Warn("something was removed from the engine while the image was made: trying again", "error", err)
		err = b.tryAssemble(ctx, j, a)
	}
	return err
}

func (b *Builder) tryAssemble(ctx context.Context, j *job, a assembly) error {
	spec := docker.Spec{
		Name:    metadata.AssemblyName(b.Prefix, j.digest),
		Image:   a.base,
		Command: []string{"/bin/sh"}, // an image without a command cannot be created from; this one never starts
		Labels:  b.labels(j, metadata.KindAssembly),
	}
	id, other, err := b.Engine.Claim(ctx, spec)
	switch {
	case err != nil:
		return err
	case other != nil:
		return b.awaitAssembly(ctx, j, a, *other)
	}
	if _, err = b.existing(ctx, j); errdefs.IsNotFound(err) {
		err = b.commit(ctx, j, a, id)
	}
	b.discard(ctx, id)
	return err
}

// awaitAssembly waits for somebody else who makes the image. One that takes too long has died and is replaced.
func (b *Builder) awaitAssembly(ctx context.Context, j *job, a assembly, other docker.Container) error {
	for began, clock := time.Now(), false; ; {
		if _, err := b.existing(ctx, j); !errdefs.IsNotFound(err) {
			return err
		}
		if _, err := b.Engine.Inspect(ctx, other.ID); errdefs.IsNotFound(err) {
			break
		}
		if !clock && time.Since(began) >= b.Periods.Poll { // most are made by then, and engines work for telling the time
			if err := b.setClock(ctx, j); err != nil {
				return err
			}
			clock = true
		}
		if clock && j.age(other.Created) >= b.Periods.Assembly {
			break
		}
		if err := b.pause(ctx, began); err != nil {
			return err
		}
	}
	if err := b.Engine.Remove(ctx, other.ID); err != nil {
		return err
	}
	if _, err := b.existing(ctx, j); !errdefs.IsNotFound(err) {
		return err
	}
	return b.tryAssemble(ctx, j, a)
}

// commit fills the container and makes the image.
func (b *Builder) commit(ctx context.Context, j *job, a assembly, id string) error {
	if err := a.fill(ctx, id); err != nil {
		return err
	}
	changes, err := b.changes(ctx, j, id)
	if err != nil {
		return err
	}
	return b.Engine.Commit(ctx, id, j.image, changes)
}

// changes are what a job's image has besides its files: what the built-in controller notes, and what a look into it
// tells.
func (b *Builder) changes(ctx context.Context, j *job, id string) ([]string, error) {
	kind := label(metadata.LabelKind, j.kind)
	if j.kind == metadata.KindSnapshot {
		return []string{kind, label(labelScript, j.script)}, nil
	}
	changes := []string{
		kind,
		label(metadata.LabelChaincodeType, strings.ToUpper(j.plan.Type)),
		label(metadata.LabelFabricVersion, j.plan.FabricVersion),
		"ENV CORE_CHAINCODE_BUILDLEVEL=" + j.plan.FabricVersion,
	}
	found, err := b.factsIn(ctx, j, id)
	if err != nil {
		return nil, err
	}
	if found.user != nil {
		changes = append(changes, label(labelUser, fmt.Sprintf("%d:%d", found.user.UID, found.user.GID)))
	}
	return append(changes, label(labelTLSByInput, strconv.FormatBool(found.tlsByInput))), nil
}

// facts are what run has to know of an image, and only a look into it tells.
type facts struct {
	tlsByInput bool             // see [Image]
	user       *metadata.UIDGID // whom it runs as, if not tlsByInput
}

// factsIn looks into a container that becomes an image. The user is asked for last, and only where the TLS files go by
// archive: for a user by name the engine has to pack a file, which takes some 40 ms.
func (b *Builder) factsIn(ctx context.Context, j *job, id string) (facts, error) {
	byInput, err := baseimage.TakesTLSByInput(ctx, b.Engine, id)
	switch {
	case byInput:
		return facts{tlsByInput: true}, nil
	case errdefs.IsNotFound(err) || ctx.Err() != nil:
		return facts{}, err
	case err != nil:
		b.Log.Debug("the image cannot be looked into: its TLS files go by archive", "error", err)
	}
	user, err := baseimage.ResolveUser(ctx, b.Engine, id, j.plan.Runtime.Name, j.runtime.User)
	return facts{user: &user}, err
}

func label(key, value string) string {
	return "LABEL " + strconv.Quote(key) + "=" + strconv.Quote(value)
}

// transfer streams the output from container to container. Both ends are opened at the same time: some engines take a
// while for each.
func (b *Builder) transfer(ctx context.Context, j *job, buildID, id string) error {
	reader, writer := io.Pipe()
	filtered := make(chan error, 1)
	go func() {
		err := b.filterOutput(ctx, j, buildID, writer)
		writer.CloseWithError(err)
		filtered <- err
	}()
	err := b.Engine.Upload(ctx, id, "/", reader)
	reader.Close() // an engine that has stopped reading must not hold the filter up
	if filterErr := <-filtered; filterErr != nil && !errors.Is(filterErr, io.ErrClosedPipe) {
		return filterErr
	}
	return err
}

// filterOutput writes the output of a build as it stands in the image.
func (b *Builder) filterOutput(ctx context.Context, j *job, buildID string, w io.Writer) error {
	output, err := b.Engine.Download(ctx, buildID, platform.OutputDir)
	if err != nil {
		return err
	}
	defer output.Close()
	if err := content.FilterOutput(output, w, j.plan.Target); err != nil {
		return fmt.Errorf("taking over the build's output: %w", err)
	}
	return nil
}
