package imagebuild

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/containerd/errdefs"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// labelUser is the image's label that says whom its processes run as, UID:GID. It saves looking into the image again.
const labelUser = "fabric-builder-docker.user"

// assemble makes the image of an ended build container: its output goes into a container of the runtime image, which
// is never started, and is committed. That container's name is a lock, too. What a prune takes away in between is
// made once more.
func (b *Builder) assemble(ctx context.Context, j *job, buildID string) error {
	err := b.tryAssemble(ctx, j, buildID)
	if errdefs.IsNotFound(err) && ctx.Err() == nil {
		b.Log.Warn("something was removed from the engine while the image was made: trying again", "error", err)
		err = b.tryAssemble(ctx, j, buildID)
	}
	return err
}

func (b *Builder) tryAssemble(ctx context.Context, j *job, buildID string) error {
	spec := docker.Spec{
		Name:    metadata.AssemblyName(b.Prefix, j.digest),
		Image:   j.plan.Runtime.Name,
		Command: []string{"/bin/sh"}, // an image without a command cannot be created from; this one never starts
		Labels:  b.labels(j, metadata.KindAssembly),
	}
	id, other, err := b.Engine.Claim(ctx, spec)
	switch {
	case err != nil:
		return err
	case other != nil:
		return b.awaitAssembly(ctx, j, buildID, *other)
	}
	if _, err = b.existing(ctx, j); errdefs.IsNotFound(err) {
		err = b.commit(ctx, j, buildID, id)
	}
	return errors.Join(err, b.discard(ctx, id))
}

// awaitAssembly waits for somebody else who makes the image. One that takes too long has died and is replaced.
func (b *Builder) awaitAssembly(ctx context.Context, j *job, buildID string, other docker.Container) error {
	if err := b.setClock(ctx, j); err != nil {
		return err
	}
	for j.age(other.Created) < b.Periods.Assembly {
		if _, err := b.existing(ctx, j); !errdefs.IsNotFound(err) {
			return err
		}
		if _, err := b.Engine.Inspect(ctx, other.ID); errdefs.IsNotFound(err) {
			break
		}
		if err := b.pause(ctx); err != nil {
			return err
		}
	}
	if err := b.Engine.Remove(ctx, other.ID); err != nil {
		return err
	}
	if _, err := b.existing(ctx, j); !errdefs.IsNotFound(err) {
		return err
	}
	return b.tryAssemble(ctx, j, buildID)
}

// commit streams the output from container to container and makes the image.
func (b *Builder) commit(ctx context.Context, j *job, buildID, id string) error {
	if err := b.transfer(ctx, j, buildID, id); err != nil {
		return err
	}
	owner, err := b.owner(ctx, j, id)
	if err != nil {
		return err
	}
	changes := []string{
		label(metadata.LabelKind, metadata.KindChaincode),
		label(metadata.LabelChaincodeType, strings.ToUpper(j.plan.Type)),
		label(metadata.LabelFabricVersion, j.plan.Level),
		"ENV CORE_CHAINCODE_BUILDLEVEL=" + j.plan.Level,
		label(labelUser, fmt.Sprintf("%d:%d", owner.UID, owner.GID)),
	}
	return b.Engine.Commit(ctx, id, j.image, changes)
}

func label(key, value string) string {
	return "LABEL " + strconv.Quote(key) + "=" + strconv.Quote(value)
}

func (b *Builder) transfer(ctx context.Context, j *job, buildID, id string) error {
	output, err := b.Engine.Download(ctx, buildID, platform.OutputDir)
	if err != nil {
		return err
	}
	defer output.Close()
	reader, writer := io.Pipe()
	filtered := make(chan error, 1)
	go func() {
		err := filter(output, writer, j.plan.Target)
		writer.CloseWithError(err)
		filtered <- err
	}()
	err = b.Engine.Upload(ctx, id, "/", reader)
	reader.Close() // an engine that has stopped reading must not hold the filter up
	if filterErr := <-filtered; filterErr != nil && !errors.Is(filterErr, io.ErrClosedPipe) {
		return fmt.Errorf("taking over the build's output: %w", filterErr)
	}
	return err
}
