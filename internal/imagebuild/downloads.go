// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/platform"
)

// A snapshot of downloads is an image with what a build without the code downloads, and nothing else: what the container of
// that build holds besides stays there. The code is then built in a container of the snapshot, and its output goes on the
// runtime image. So nothing that the code of one package does can reach the build of another.
//
// A build without the code often fails, but seldom before it has downloaded nearly all that it needs. A snapshot is worth
// keeping then. If the failure had another reason, such as a network that was down, it is not. Only the build in the snapshot
// can tell the two apart: see [Builder.buildInSnapshot].

const (
	// labelStatus is the label of a snapshot of downloads that records the exit status of the build that made it.
	labelStatus = "fabric-builder-docker.build-status"

	// labelDownloads is the label of a snapshot of downloads that records how many files were downloaded.
	labelDownloads = "fabric-builder-docker.downloads"
)

// errDownloads is the error for a container whose downloads cannot be read: its image or the package is not as expected.
var errDownloads = errors.New("the downloads of the build without the code cannot be read")

// resolve makes a snapshot of downloads.
func (b *Builder) resolve(ctx context.Context, s *job) (docker.Image, error) {
	if err := b.makeImage(ctx, s); err != nil {
		return docker.Image{}, err
	}
	snapshot, err := b.Engine.Image(ctx, s.image)
	if err == nil {
		b.Log.Info("downloaded the dependencies ahead of the code", "files", snapshot.Labels[labelDownloads],
			"build_status", snapshot.Labels[labelStatus], "snapshot", s.image)
	}
	return snapshot, err
}

// buildInSnapshot builds a package in the snapshot of its downloads, with a network: it downloads what the snapshot lacks. If
// the build that made the snapshot has failed, the snapshot is removed unless this build succeeds with fewer downloads of its
// own, so that the next one makes it again.
func (b *Builder) buildInSnapshot(ctx context.Context, j, s *job, snapshot docker.Image) error {
	c := *j
	c.builder, c.plan.Builder.Name, c.snapshot = snapshot, s.image, s.finalName()
	err := b.buildPackage(ctx, &c)
	j.made = c.made
	if snapshot.Labels[labelStatus] != "0" && !c.leads.IsZero() && ctx.Err() == nil && !c.isServedBy(snapshot, err) {
		b.Log.Info("removing the snapshot of the dependencies, which holds too few: the next build makes it again", "snapshot", s.image)
		if err := b.Engine.Untag(ctx, s.image); err != nil {
			b.Log.Debug("another build may be using the snapshot", "error", err)
		}
	}
	return err
}

// isServedBy reports whether a build that ended with err has found most of its downloads in the snapshot.
func (j *job) isServedBy(snapshot docker.Image, err error) bool {
	if err != nil || j.downloads == nil {
		return err == nil
	}
	ahead, invalid := strconv.Atoi(snapshot.Labels[labelDownloads])
	own, _ := j.downloads.Count(false)
	return invalid == nil && own <= ahead
}

// reportDownloads logs what a build in a snapshot has downloaded itself.
func (b *Builder) reportDownloads(ctx context.Context, j *job, id string) {
	found, err := b.readDownloads(ctx, id)
	if err != nil {
		b.Log.Debug("cannot tell what the build has downloaded itself", "error", err)
		return
	}
	j.downloads = &found
	files, snapshotVersions := found.Count(false)
	b.Log.Info("the build has downloaded what the snapshot lacks", "files", files, "snapshot_versions", snapshotVersions)
}

// readDownloads returns what the build in a container has downloaded.
func (b *Builder) readDownloads(ctx context.Context, id string) (platform.Downloads, error) {
	archive, err := b.Engine.Download(ctx, id, platform.DownloadsFile)
	if err != nil {
		return platform.Downloads{}, err
	}
	defer archive.Close()
	return parseDownloads(archive)
}

func parseDownloads(archive io.Reader) (found platform.Downloads, err error) {
	list := tar.NewReader(archive)
	if _, err = list.Next(); err == nil {
		found, err = platform.ParseDownloads(list)
	}
	if err != nil {
		return platform.Downloads{}, fmt.Errorf("%w: %w", errDownloads, err)
	}
	return found, nil
}

// writeDownloads writes the layer of a snapshot of downloads from the container that has made them. It closes the list.
func (b *Builder) writeDownloads(ctx context.Context, j *job, id string, list io.ReadCloser, w io.Writer) error {
	found, err := parseDownloads(list)
	list.Close()
	if err != nil {
		return err
	}
	j.downloads = &found
	stores := found.Stores()
	if len(stores) > 0 && len(found.Above) == 0 { // the layer would change the owner and mode of these directories
		return fmt.Errorf("%w: the image has no stat command", errDownloads)
	}
	picker, err := content.NewPicker(w, found.Above, b.Limits.Output)
	if err != nil {
		return err
	}
	for _, dir := range stores {
		if err := b.pick(ctx, picker, id, dir, found.Keep); err != nil {
			return err
		}
	}
	return picker.Close()
}

func (b *Builder) pick(ctx context.Context, picker *content.Picker, id, dir string, keep func(string) bool) error {
	archive, err := b.Engine.Download(ctx, id, dir)
	if err != nil {
		return err
	}
	defer archive.Close()
	return explainOutput(picker.Pick(archive, dir, keep))
}
