// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"context"
	"fmt"
	"slices"
)

// RootDir returns the directory in which an engine keeps images, containers and volumes, as a path on the engine's machine.
// It is empty if the engine does not say.
func (e *Engine) RootDir(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	info, err := e.api.Info(ctx)
	if err != nil {
		return "", fmt.Errorf("asking the engine for its directory: %w", err)
	}
	return info.DockerRootDir, nil
}

// IsRootless reports whether an engine runs in a user's namespaces. Unlike podman, a rootless Docker engine has a network of its
// own, which network host of its containers is.
func (e *Engine) IsRootless(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	info, err := e.api.Info(ctx)
	if err != nil {
		return false, fmt.Errorf("asking the engine whether it is rootless: %w", err)
	}
	return slices.Contains(info.SecurityOptions, "name=rootless"), nil
}
