// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"context"
	"fmt"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/volume"
)

// Tmpfs is a file system in memory. It is mounted when the container starts, so nothing can be uploaded to it before.
// Every user may write to it, as to /tmp, because not every engine can give it to one user. Its content counts as the
// container's memory.
type Tmpfs struct {
	Path string
	Size string // limit, in the engine's notation, such as 64m
	Exec bool   // programs on it may be executed
}

func (s Spec) tmpfs() map[string]string {
	if len(s.Tmpfs) == 0 {
		return nil
	}
	mounts := map[string]string{}
	for _, fs := range s.Tmpfs {
		exec := "noexec"
		if fs.Exec {
			exec = "exec"
		}
		mounts[fs.Path] = "rw," + exec + ",nosuid,nodev,size=" + fs.Size + ",mode=1777"
	}
	return mounts
}

func (s Spec) anonymousVolumes() map[string]struct{} {
	if len(s.AnonymousVolumes) == 0 {
		return nil
	}
	volumes := map[string]struct{}{}
	for _, path := range s.AnonymousVolumes {
		volumes[path] = struct{}{}
	}
	return volumes
}

// EnsureVolume creates a named volume unless it exists.
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
