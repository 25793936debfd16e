// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"

	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/figures"
	"fabric-builder-docker/internal/platform"
)

// prebuilt pulls the image that a package names by its digest, if necessary, and resolves its user.
func (b *Builder) prebuilt(ctx context.Context, plan platform.Plan, _ *content.Package, _ string) (Image, error) {
	b.outcome = figures.Reused // unless it is pulled
	found, err := b.images().Ensure(ctx, "chaincode", &plan.Runtime)
	if err != nil {
		return Image{}, err
	}
	user, err := b.images().User(ctx, found)
	return Image{Name: plan.Runtime.Name, ID: found.ID, User: user}, err
}
