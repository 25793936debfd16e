// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
)

// Engine lists the calls of a container engine that an inventory needs.
type Engine interface {
	Clock(ctx context.Context) (time.Time, error)
	Inspect(ctx context.Context, id string) (docker.Container, error)
	List(ctx context.Context, labels map[string]string) ([]docker.Container, error)
	Images(ctx context.Context, label string) ([]docker.ListedImage, error)
	Image(ctx context.Context, ref string) (docker.Image, error)
	Volumes(ctx context.Context, label string) ([]docker.Volume, error)
	Usage(ctx context.Context) (docker.Usage, error)
}

// Gather asks the engine for everything of this project, and for all containers: others' may use our images. Directories are
// those in which peers keep builds. Sizes of volumes are only known if sized is set: some engines measure everything for them.
func Gather(ctx context.Context, engine Engine, directories []string, sized bool) (State, error) {
	s := State{Tagged: map[string]time.Time{}, Directories: len(directories)}
	for _, directory := range directories {
		if err := s.readBuilds(directory); err != nil {
			return State{}, err
		}
	}
	var err error
	if s.Now, err = engine.Clock(ctx); err != nil {
		return State{}, err
	}
	if s.Images, err = engine.Images(ctx, metadata.LabelKind); err != nil {
		return State{}, err
	}
	for _, image := range s.Images {
		found, err := engine.Image(ctx, image.ID)
		switch {
		case err != nil && !docker.IsGone(err):
			return State{}, err
		case err == nil && !found.Tagged.IsZero():
			s.Tagged[image.ID] = found.Tagged
		}
	}
	if s.Volumes, err = engine.Volumes(ctx, metadata.LabelKind); err != nil {
		return State{}, err
	}
	if sized {
		s.Usage, err = engine.Usage(ctx) // what it does not say is shown as unknown
		if docker.IsUnreachable(err) {
			return State{}, err
		}
	}
	if s.Containers, err = engine.List(ctx, nil); err != nil { // last: what uses an image by now is seen
		return State{}, err
	}
	return s, s.noteEnds(ctx, engine)
}

// noteEnds asks when the chaincodes have ended that are not running: the list of containers does not say.
func (s *State) noteEnds(ctx context.Context, engine Engine) error {
	for i, c := range s.Containers {
		if !IsRun(c) || !c.Ended() {
			continue
		}
		found, err := engine.Inspect(ctx, c.ID)
		if err != nil && !docker.IsGone(err) {
			return err
		}
		s.Containers[i].Finished = found.Finished
	}
	return nil
}

// readBuilds reads the records of a peer's builds. A build without a record is another builder's, or is being copied there: what
// is so new stays anyway.
func (s *State) readBuilds(directory string) error {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return fmt.Errorf("reading the builds of a peer: %w", err)
	}
	if len(entries) > 0 && !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return isBuild(filepath.Join(directory, e.Name())) }) {
		return fmt.Errorf("directory %s holds no builds of a peer: expected externalbuilder/builds in its peer.fileSystemPath", directory)
	}
	for _, entry := range entries {
		if !entry.IsDir() {
			continue
		}
		output := filepath.Join(directory, entry.Name(), "bld")
		record, err := metadata.ReadRecordOnly(output)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			s.Unread = append(s.Unread, err.Error())
		default:
			rebuilt := metadata.WithRebuilt(output, record)
			s.Installs = append(s.Installs, Install{Directory: directory, Package: entry.Name(), Image: record.Image, Rebuilt: rebuilt.Image, Token: record.InstallToken, Builder: record.Builder})
		}
	}
	return nil
}

// isBuild reports whether a peer keeps a build in a directory. The peer writes build-info.json first. A wrong directory must not
// be taken for that of a peer which has nothing installed: all images would go.
func isBuild(directory string) bool {
	for _, name := range []string{"build-info.json", "bld"} {
		if _, err := os.Stat(filepath.Join(directory, name)); err == nil {
			return true
		}
	}
	return false
}
