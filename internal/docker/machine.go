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

// OwnLoopback returns why network host of an engine has another loopback than the machine on which its clients run, as a part of
// a sentence. It is empty if there is no such reason, and also for podman, which gives the machine's network to everybody.
func (e *Engine) OwnLoopback(ctx context.Context) (reason string, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	info, err := e.api.Info(ctx)
	switch {
	case err != nil:
		return "", fmt.Errorf("asking the engine for its network: %w", err)
	case info.OperatingSystem == "Docker Desktop":
		return "Docker Desktop runs the engine in a virtual machine", nil
	case slices.Contains(info.SecurityOptions, "name=rootless"):
		return "the engine is rootless", nil
	}
	return "", nil
}
