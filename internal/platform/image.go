package platform

import (
	"fmt"

	"github.com/distribution/reference"

	"fabric-builder-docker/internal/metadata"
)

// planImage is the plan of a package that names an image, as the Kubernetes builder has them too. Only a digest says
// which image that is: a tag may mean another one tomorrow, or on the next peer.
func planImage(r request) (Plan, error) {
	image, err := metadata.ReadImage(r.content.FS)
	if err != nil {
		return Plan{}, err
	}
	name, err := pinned(image)
	if err != nil {
		return Plan{}, fmt.Errorf("reading %s: %w", metadata.ImageFile, err)
	}
	return Plan{Kind: Prebuilt, Runtime: Image{Name: name}}, nil
}

// pinned is NAME@DIGEST. A tag in the name is dropped: beside a digest it means nothing.
func pinned(image metadata.Image) (string, error) {
	named, err := reference.ParseNormalizedNamed(image.Name)
	if err != nil {
		return "", fmt.Errorf("%q: %q is not the name of an image: %w", "name", image.Name, err)
	}
	if _, twice := named.(reference.Digested); twice {
		return "", fmt.Errorf("%q: %q holds a digest, which belongs into %q", "name", image.Name, "digest")
	}
	whole, err := reference.ParseNormalizedNamed(reference.TrimNamed(named).Name() + "@" + image.Digest)
	if err != nil {
		return "", fmt.Errorf("%q: %q is not a digest, which is sha256: and 64 hex digits: %w", "digest", image.Digest, err)
	}
	return reference.FamiliarString(whole), nil
}

// startImage leaves it to the image's own entrypoint, which finds the peer in its environment.
func startImage(launch) []string { return nil }
