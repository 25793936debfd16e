// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"context"
	"errors"
	"fmt"
	"path"

	"github.com/containerd/errdefs"
)

// ErrNotInRegistry means that a registry has no such image, or that the engine is a podman before 6, which cannot ask.
var ErrNotInRegistry = errors.New("no such image in the registry")

// InRegistry asks a registry, through the engine and without a download, for which platforms (os/architecture[/variant]) it has
// an image. The limits of the pull are not used.
func (e *Engine) InRegistry(ctx context.Context, pull Pull) (platforms []string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, callTimeout, fmt.Errorf("no answer within %v", callTimeout))
	defer cancel()
	auth, err := pull.Credentials.header()
	if err != nil {
		return nil, fmt.Errorf("looking for image %q in its registry: %w", pull.Ref, err)
	}
	found, err := e.api.DistributionInspect(ctx, pull.Ref, auth)
	if err != nil {
		if cause := Cause(ctx); cause != nil {
			err = cause
		}
		if errdefs.IsNotFound(err) {
			err = missing{err, ErrNotInRegistry}
		}
		return nil, pull.Credentials.redactError(fmt.Errorf("looking for image %q in its registry: %w", pull.Ref, err))
	}
	for _, p := range found.Platforms {
		platforms = append(platforms, path.Join(p.OS, p.Architecture, p.Variant))
	}
	return platforms, nil
}
