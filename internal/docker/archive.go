package docker

import (
	"context"
	"fmt"
	"io"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/volume"
)

// Upload unpacks a tar in a directory of the container. Owners and modes are kept.
func (e *Engine) Upload(ctx context.Context, id, dir string, archive io.Reader) error {
	if err := e.api.CopyToContainer(ctx, id, dir, archive, container.CopyToContainerOptions{}); err != nil {
		return fmt.Errorf("uploading to %s of container %q: %w", dir, id, err)
	}
	return nil
}

// Download is a tar of a path in the container. The names in it begin with the last element of the path.
func (e *Engine) Download(ctx context.Context, id, path string) (io.ReadCloser, error) {
	archive, _, err := e.api.CopyFromContainer(ctx, id, path)
	if err != nil {
		return nil, fmt.Errorf("downloading %s of container %q: %w", path, id, err)
	}
	return archive, nil
}

// Executable is the program at a path in the container, after symbolic links; empty where none is.
func (e *Engine) Executable(ctx context.Context, id, path string) (string, error) {
	stat, err := e.stat(ctx, id, path)
	if stat != nil && stat.LinkTarget != "" { // as far as it leads
		path = stat.LinkTarget
		stat, err = e.stat(ctx, id, path)
	}
	if stat == nil || !stat.Mode.IsRegular() || stat.Mode&0o111 == 0 {
		return "", err
	}
	return path, nil
}

// Exists says whether there is something at a path in the container.
func (e *Engine) Exists(ctx context.Context, id, path string) (bool, error) {
	stat, err := e.stat(ctx, id, path)
	return stat != nil, err
}

// stat is nil for what is not there.
func (e *Engine) stat(ctx context.Context, id, path string) (*container.PathStat, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	stat, err := e.api.ContainerStatPath(ctx, id, path)
	if errdefs.IsNotFound(err) { // as is a container that has gone
		_, gone := e.Inspect(ctx, id)
		return nil, gone
	}
	if err != nil {
		return nil, fmt.Errorf("looking for %s in container %q: %w", path, id, err)
	}
	return &stat, nil
}

// Commit makes an image of a container. Changes are Dockerfile instructions such as LABEL a=b: the one way to set an
// image's configuration that all engines honour.
//
// Podman fails without a configuration to decode; an empty one changes nothing of what the image has.
func (e *Engine) Commit(ctx context.Context, id, ref string, changes []string) error {
	_, err := e.api.ContainerCommit(ctx, id, container.CommitOptions{Reference: ref, Changes: changes, Config: &container.Config{}})
	if err != nil {
		return fmt.Errorf("committing container %q as image %q: %w", id, ref, err)
	}
	return nil
}

// EnsureVolume makes a named volume where there is none.
func (e *Engine) EnsureVolume(ctx context.Context, name string, labels map[string]string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if _, err := e.api.VolumeInspect(ctx, name); err == nil {
		return nil
	} else if !errdefs.IsNotFound(err) {
		return fmt.Errorf("inspecting volume %q: %w", name, err)
	}
	if _, err := e.api.VolumeCreate(ctx, volume.CreateOptions{Name: name, Labels: labels}); err != nil {
		return fmt.Errorf("creating volume %q: %w", name, err)
	}
	return nil
}
