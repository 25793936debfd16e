// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"context"
	"fmt"
	"path"
)

// InRegistry asks a registry, through the engine and without a download, for which platforms (os/architecture[/variant]) it has
// an image. Podman before 6 cannot do that, and answers with an error. The limits of the pull are not used.
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
		return nil, pull.Credentials.redactError(fmt.Errorf("looking for image %q in its registry: %w", pull.Ref, err))
	}
	for _, p := range found.Platforms {
		platforms = append(platforms, path.Join(p.OS, p.Architecture, p.Variant))
	}
	return platforms, nil
}
