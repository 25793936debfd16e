// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"fmt"

	"github.com/distribution/reference"

	"fabric-builder-docker/internal/metadata"
)

// planImage plans a package that names an image in image.json. The digest is mandatory because a tag may refer to
// another image tomorrow, or on another peer.
func planImage(r request) (Plan, error) {
	image, err := metadata.ReadImage(r.content.FS)
	if err != nil {
		return Plan{}, err
	}
	name, err := pinnedName(image)
	if err != nil {
		return Plan{}, fmt.Errorf("reading %s: %w", metadata.ImageFile, err)
	}
	return Plan{Kind: Prebuilt, Runtime: Image{Name: name}}, nil
}

// pinnedName returns the image as NAME@DIGEST. It drops a tag, which has no meaning next to a digest.
func pinnedName(image metadata.Image) (string, error) {
	named, err := reference.ParseNormalizedNamed(image.Name)
	if err != nil {
		return "", fmt.Errorf("invalid %q %q: expected an image name: %w", "name", image.Name, err)
	}
	if _, ok := named.(reference.Digested); ok {
		return "", fmt.Errorf("invalid %q %q: move the digest to %q", "name", image.Name, "digest")
	}
	pinned, err := reference.ParseNormalizedNamed(reference.TrimNamed(named).Name() + "@" + image.Digest)
	if err != nil {
		return "", fmt.Errorf("invalid %q %q: expected sha256: and 64 hex digits: %w", "digest", image.Digest, err)
	}
	return reference.FamiliarString(pinned), nil
}

// startImage returns nil: the image's own entrypoint finds the peer in its environment.
func startImage(launch) []string { return nil }
