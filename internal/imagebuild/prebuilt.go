package imagebuild

import (
	"context"
	"fmt"
	"strings"

	"github.com/containerd/errdefs"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// prebuilt makes sure of an image that a package names by its digest, and finds out whom it runs as.
func (b *Builder) prebuilt(ctx context.Context, plan platform.Plan) (Image, error) {
	found, err := b.baseImage(ctx, "chaincode", &plan.Runtime)
	if err != nil {
		return Image{}, err
	}
	user, err := b.prebuiltUser(ctx, plan.Runtime.Name, found)
	return Image{Name: plan.Runtime.Name, User: user}, err
}

// prebuiltUser is the image's user in numbers. Only the image itself knows what a name means, so it is looked up in a
// container that is never started.
func (b *Builder) prebuiltUser(ctx context.Context, name string, image docker.Image) (owner metadata.Owner, err error) {
	user, _, _ := strings.Cut(image.User, ":")
	if user == "" || user == "root" {
		return metadata.Owner{}, nil
	}
	if owner, err := ownerOf(image.User); err == nil {
		return owner, nil
	}
	if owner, err := ownerOf(user); err == nil { // with a group by name
		return owner, nil
	}
	id, _, err := b.Engine.Claim(ctx, docker.Spec{
		Name:    metadata.AssemblyName(b.Prefix, metadata.NewInstallToken()),
		Image:   name,
		Command: []string{"/bin/sh"}, // an image without a command cannot be created from; this one never starts
		Labels:  map[string]string{metadata.LabelKind: metadata.KindAssembly, metadata.LabelVersion: b.Version},
	})
	if err != nil {
		return metadata.Owner{}, err
	}
	defer func() {
		if discardErr := b.discard(ctx, id); err == nil {
			err = discardErr
		}
	}()
	archive, err := b.Engine.Download(ctx, id, "/etc/passwd")
	if errdefs.IsNotFound(err) {
		return metadata.Owner{}, fmt.Errorf("the package's image %q runs as user %q and has no /etc/passwd: give the user in numbers", name, user)
	}
	if err != nil {
		return metadata.Owner{}, err
	}
	defer archive.Close()
	if owner, err = lookUp(archive, user); err != nil {
		return metadata.Owner{}, fmt.Errorf("looking up the user of the package's image %q: %w", name, err)
	}
	return owner, nil
}
