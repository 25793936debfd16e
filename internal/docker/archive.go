// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/docker/docker/api/types/container"
)

// Upload unpacks a tar archive in directory dir of the container. Owners and modes are kept.
func (e *Engine) Upload(ctx context.Context, id, dir string, archive io.Reader) error {
	if err := e.api.CopyToContainer(ctx, id, dir, archive, container.CopyToContainerOptions{}); err != nil {
		return fmt.Errorf("uploading to %s of container %q: %w", dir, id, e.noPath(ctx, id, err))
	}
	return nil
}

// Download returns a tar archive of a path in the container. The names in it start with the last element of the path.
// The caller closes it.
func (e *Engine) Download(ctx context.Context, id, path string) (io.ReadCloser, error) {
	archive, _, err := e.api.CopyFromContainer(ctx, id, path)
	if err != nil {
		return nil, fmt.Errorf("downloading %s of container %q: %w", path, id, e.noPath(ctx, id, err))
	}
	return archive, nil
}

// Executable follows symbolic links from a path in the container and returns the path of the executable file it finds.
// It returns "" if there is none. Its error wraps [ErrNoContainer] if the container is gone.
func (e *Engine) Executable(ctx context.Context, id, path string) (string, error) {
	stat, err := e.stat(ctx, id, path)
	if stat != nil && stat.LinkTarget != "" { // the end of the chain of links
		path = stat.LinkTarget
		stat, err = e.stat(ctx, id, path)
	}
	if stat == nil || !stat.Mode.IsRegular() || stat.Mode&0o111 == 0 {
		return "", err
	}
	return path, nil
}

// PathExists reports whether a path exists in the container. Its error wraps [ErrNoContainer] if the container is gone.
func (e *Engine) PathExists(ctx context.Context, id, path string) (bool, error) {
	stat, err := e.stat(ctx, id, path)
	return stat != nil, err
}

// stat returns nil without an error if the path does not exist.
func (e *Engine) stat(ctx context.Context, id, path string) (*container.PathStat, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	stat, err := e.api.ContainerStatPath(ctx, id, path)
	switch err = e.noPath(ctx, id, err); {
	case errors.Is(err, ErrNoPath):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("looking for %s in container %q: %w", path, id, err)
	}
	return &stat, nil
}
