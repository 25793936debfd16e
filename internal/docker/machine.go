// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"context"
	"fmt"
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
