// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/imagearchive"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// labelUser is the label of an image whose chaincode gets its TLS files as an archive. It records the user of the image as
// UID:GID, so that later builds need not look it up.
const labelUser = "fabric-builder-docker.user"

// labelTLSByInput is the label that is "true" on images whose chaincode gets its TLS files through standard input. See
// [Image].
const labelTLSByInput = "fabric-builder-docker.tls-by-input"

// labelBlobs is the label of a snapshot in containerd's store that records its layers as blobs, as JSON: whatever is added
// to the snapshot has to name them.
const labelBlobs = "fabric-builder-docker.blobs"

// labelSnapshot is the label of a chaincode's image that names the snapshot of its dependencies. A snapshot that no image names
// only makes the next build faster.
const labelSnapshot = metadata.LabelSnapshot

// addition is what makes the image of a job out of an image that exists.
type addition struct {
	below  docker.Image
	lookup *baseLookup             // of the image below, which may be a snapshot
	write  func(w io.Writer) error // writes the new layer, a tar to be unpacked at /
}

// assembleOutput makes the image from the runtime image and the output of a build container that has exited.
func (b *Builder) assembleOutput(ctx context.Context, j *job, buildID string) error {
	if j.snapshot != "" {
		b.reportDownloads(ctx, j, buildID)
	}
	return b.assemble(ctx, j, addition{
		below:  j.runtime,
		lookup: j.lookup,
		write: func(w io.Writer) error {
			output, err := b.Engine.Download(ctx, buildID, j.output())
			if err != nil {
				return err
			}
			return b.filterOutput(ctx, output, j, buildID, w)
		},
	})
}

// errNotBorrowed is the error for an output of another builder's container that cannot be read.
var errNotBorrowed = errors.New("the output of the other build cannot be read")

// borrowOutput makes the image from the output of another builder's container, whose build has succeeded. That builder may
// be alive, or have stopped while it reads the output: an engine lets one client at a time read from a container. So if the
// read does not begin within Periods.Ended, the error wraps errNotBorrowed.
func (b *Builder) borrowOutput(ctx context.Context, j *job, buildID string) error {
	b.Log.Info("making the image from another builder's container", "container_id", buildID, "image", j.image)
	return b.assemble(ctx, j, addition{
		below:  j.runtime,
		lookup: j.lookup,
		write: func(w io.Writer) error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			late := time.AfterFunc(b.Periods.Ended, cancel)
			output, err := b.Engine.Download(ctx, buildID, j.output())
			late.Stop()
			if err == nil {
				err = b.filterOutput(ctx, output, j, buildID, w)
			}
			if err != nil && !isTooMuch(err) {
				err = fmt.Errorf("%w: %w", errNotBorrowed, err)
			}
			return err
		},
	})
}

// assemble makes the image of a job. It retries once if a prune removed a container or an image that it needs.
func (b *Builder) assemble(ctx context.Context, j *job, a addition) error {
	defer b.phases.enter(making)()
	err := b.tryAssemble(ctx, j, a)
	if docker.IsGone(err) && ctx.Err() == nil {
		b.Log.Warn("a container or an image was removed from the engine while the image was assembled: retrying", "error", err)
		err = b.tryAssemble(ctx, j, a)
	}
	return err
}

// tryAssemble lets the engine load the image, or commits it. Builders that do so at the same time do not disturb each other:
// the same archive is the same image, and of several commits the first gets the name.
func (b *Builder) tryAssemble(ctx context.Context, j *job, a addition) error {
	known, err := b.knownBelow(j, a)
	if err != nil {
		return err
	}
	if known.Way == wayDocker || known.Way == wayOCI {
		err := b.load(ctx, j, a, known)
		if err == nil || !errors.Is(err, errNotLoaded) || ctx.Err() != nil {
			return err
		}
		b.Log.Warn("committing a container instead", "image", j.image, "reason", err)
		if err := errors.Join(a.lookup.forget(), j.lookup.forget()); err != nil {
			b.Log.Debug("the next build will try to load, too", "reason", err)
		}
	}
	if err := b.commit(ctx, j, a, known); err != nil {
		return err
	}
	if known.Way == wayUnknown {
		b.learnBlobs(j, a, b.Periods.Learn)
	}
	return nil
}

// knownBelow returns what is known of the image below. Of a snapshot, it is what is known of the runtime image, but for the
// blobs; the way is unknown while they are.
func (b *Builder) knownBelow(j *job, a addition) (knownBase, error) {
	known, err := j.lookup.get()
	if err != nil || known.Way != wayOCI || a.lookup == j.lookup {
		return known, err
	}
	if known.Blobs, err = a.lookup.blobsOf(known); len(known.Blobs) != len(a.below.Layers) {
		known.Way, known.Blobs = wayUnknown, nil
	}
	return known, err
}

// learnBlobs waits until the blobs of the image below are known, at most that long: a build that commits is often over before
// the engine has exported the image, and all later ones would have to commit, too.
func (b *Builder) learnBlobs(j *job, a addition, limit time.Duration) {
	j.lookup.wait(limit)
	known, err := b.knownBelow(j, a)
	if err == nil && known.Way == wayUnknown && a.lookup.facts != nil { // a snapshot, on an engine that loads OCI layouts
		a.lookup.wait(limit)
	}
}

// errNotLoaded is the error of an engine that did not load an archive although its base image is there.
var errNotLoaded = errors.New("the engine did not load the image")

// load writes the new layer to a file, and lets the engine load it with the image's configuration.
func (b *Builder) load(ctx context.Context, j *job, a addition, known knownBase) error {
	above := known.Directories
	if j.resolves { // it writes those above the downloads itself, and a layer must not contain a directory twice
		above = nil
	}
	layer, err := content.NewLayer(b.Scratch, above, a.write)
	if err != nil {
		return err
	}
	defer layer.Close()
	image := imagearchive.Image{
		Name:   j.image,
		Base:   archiveBase(a.below, known.Blobs),
		Layer:  &imagearchive.Layer{Digest: layer.Digest, Size: layer.Size, Content: layer},
		Labels: j.labels(known),
		Env:    j.environment(),
	}
	if known.Way == wayOCI && j.kind == metadata.KindSnapshot {
		blobs, err := json.Marshal(image.Blobs())
		if err != nil {
			return err
		}
		image.Labels[labelBlobs] = string(blobs)
	}
	if !j.leads.IsZero() && time.Since(j.leads) > b.Periods.Ended { // another builder may have lost patience, and made it
		if exists, err := b.exists(ctx, j); err != nil || exists {
			return err
		}
	}
	id, err := b.loadArchive(ctx, known.Way, image)
	if err != nil {
		return b.explainLoad(ctx, a, err)
	}
	j.made = &Image{Name: j.image, ID: id, TLSByInput: known.TLSByInput, User: known.User}
	if known.TLSByInput {
		j.made.Entrypoint = j.runtime.Entrypoint
	}
	return nil
}

// explainLoad returns an error that wraps [docker.ErrNoImage] if a load failed because the image below is gone: the engine
// then lacks its layers.
func (b *Builder) explainLoad(ctx context.Context, a addition, err error) error {
	if _, inspectErr := b.Engine.Image(ctx, a.below.ID); errors.Is(inspectErr, docker.ErrNoImage) {
		return inspectErr
	}
	return fmt.Errorf("%w: %w", errNotLoaded, err)
}

// loadArchive lets the engine load an image in one of the two forms, and returns its ID.
func (b *Builder) loadArchive(ctx context.Context, form way, image imagearchive.Image) (id string, err error) {
	write := image.WriteDocker
	if form == wayOCI {
		write = image.WriteOCI
	}
	err = pipe(
		func(w io.Writer) (err error) { id, err = write(w); return err },
		func(r io.Reader) error { return b.Engine.Load(ctx, r) },
	)
	if form == wayOCI {
		err = b.checkLoaded(ctx, image.Name, err)
	}
	return id, err
}

// checkLoaded creates a container of an image that was loaded in an OCI layout, and takes the image's name away if that
// fails. containerd's store names the image before it unpacks it, and does not fail if a layer is missing or broken. A load
// that failed or was cancelled is checked, too, and to its end: the name may already be that of another builder's good image.
func (b *Builder) checkLoaded(ctx context.Context, image string, loadErr error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.cleanupLeft())
	defer cancel()
	err := b.images().WithContainer(ctx, image, func(string) error { return nil })
	switch {
	case err == nil:
		return loadErr
	case errors.Is(err, docker.ErrNoImage):
		return errors.Join(loadErr, err)
	}
	return errors.Join(loadErr, fmt.Errorf("the image cannot be used: %w", err), b.Engine.Untag(ctx, image))
}

// commit uploads the new layer to a container of the image below, and commits that.
func (b *Builder) commit(ctx context.Context, j *job, a addition, known knownBase) error {
	return b.images().WithContainer(ctx, a.below.ID, func(id string) error {
		if err := b.upload(ctx, id, a.write); err != nil {
			return err
		}
		return b.commitAs(ctx, id, j.image, append(instructions(j.labels(known), j.environment()), command(a.below)...))
	})
}

// commitAs commits a container as the image with the given name, unless another builder's image has the name by then. The
// engine would take the name from that image, which may be in use, and leave it without one.
func (b *Builder) commitAs(ctx context.Context, id, name string, instructions []string) error {
	made := metadata.TemporaryName(name)
	if err := b.Engine.Commit(ctx, id, made, instructions); err != nil {
		cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.cleanupLeft())
		defer cancel()
		if untagErr := b.Engine.Untag(cleanup, made); untagErr != nil { // after a signal, the engine may have committed it
			b.Log.Debug("an image with a temporary name may be left", "image", made, "error", untagErr)
		}
		return err
	}
	return b.rename(ctx, made, name)
}

// labels returns the labels of a job's image: what the built-in controller sets, and what [Builder.find] reads.
func (j *job) labels(known knownBase) map[string]string {
	switch {
	case j.resolves:
		files, _ := j.downloads.Count(true)
		return map[string]string{
			metadata.LabelKind: j.kind, labelStatus: strconv.Itoa(j.downloads.Status), labelDownloads: strconv.Itoa(files),
		}
	case j.kind == metadata.KindSnapshot:
		return map[string]string{metadata.LabelKind: j.kind, labelScript: j.script}
	}
	labels := map[string]string{
		metadata.LabelKind:          j.kind,
		metadata.LabelChaincodeType: strings.ToUpper(j.plan.Type),
		metadata.LabelFabricVersion: j.plan.FabricVersion,
		labelTLSByInput:             strconv.FormatBool(known.TLSByInput),
	}
	if j.snapshot != "" {
		labels[labelSnapshot] = j.snapshot
	}
	if known.User != nil {
		labels[labelUser] = fmt.Sprintf("%d:%d", known.User.UID, known.User.GID)
	}
	return labels
}

// environment returns the variables that a job's image adds to those of the runtime image.
func (j *job) environment() []string {
	if j.kind == metadata.KindSnapshot {
		return nil
	}
	return []string{"CORE_CHAINCODE_BUILDLEVEL=" + j.plan.FabricVersion}
}

// instructions returns the Dockerfile instructions that set labels and variables.
func instructions(labels map[string]string, environment []string) []string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		all = append(all, "LABEL "+strconv.Quote(key)+"="+strconv.Quote(labels[key]))
	}
	for _, variable := range environment {
		all = append(all, "ENV "+variable)
	}
	return all
}

// command returns the instruction that gives the image the command of the image below again, in place of the container's.
func command(below docker.Image) []string {
	if len(below.Command) == 0 {
		return nil
	}
	text, _ := json.Marshal(below.Command) // strings alone: no error
	return []string{"CMD " + string(text)}
}

// output returns where a build container has the output of its build.
func (j *job) output() string {
	if j.resolves {
		return platform.DownloadsFile
	}
	return platform.OutputDir
}

// filterOutput writes the output of the build in a container as a tar to be unpacked in the image, and closes the output.
func (b *Builder) filterOutput(ctx context.Context, output io.ReadCloser, j *job, id string, w io.Writer) error {
	if j.resolves {
		return b.writeDownloads(ctx, j, id, output, w)
	}
	defer output.Close()
	return explainOutput(content.FilterOutput(output, w, j.plan.Target, b.Limits.Output))
}

// explainOutput says what was being done, unless the error is about the build's output anyway.
func explainOutput(err error) error {
	if err == nil || isTooMuch(err) {
		return err
	}
	return fmt.Errorf("copying the build's output: %w", err)
}

func isTooMuch(err error) bool {
	var limit content.OutputLimitError
	return errors.As(err, &limit)
}

// pipe calls write and read at the same time, with the two ends of a pipe. If write fails, its error is returned.
func pipe(write func(io.Writer) error, read func(io.Reader) error) error {
	reader, writer := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := write(writer)
		writer.CloseWithError(err)
		written <- err
	}()
	err := read(reader)
	reader.Close() // stops write if the engine has stopped reading
	if writeErr := <-written; writeErr != nil && !errors.Is(writeErr, io.ErrClosedPipe) {
		return writeErr
	}
	return err
}
