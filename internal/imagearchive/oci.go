// SPDX-License-Identifier: Apache-2.0

package imagearchive

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// nameAnnotation is where containerd's store finds the name of an image in an OCI layout.
const nameAnnotation = "io.containerd.image.name"

// Blobs returns the layers of the image as blobs: those of the base, which must be known, and its own, which is not
// compressed.
func (i Image) Blobs() []ocispec.Descriptor {
	if i.Layer == nil {
		return i.Base.Blobs
	}
	return append(slices.Clone(i.Base.Blobs), ocispec.Descriptor{
		MediaType: ocispec.MediaTypeImageLayer, Digest: digest.Digest(i.Layer.Digest), Size: i.Layer.Size,
	})
}

// WriteOCI writes the image as an OCI layout and returns its ID, the digest of its manifest.
func (i Image) WriteOCI(w io.Writer) (id string, err error) {
	if len(i.Base.Blobs) != len(i.Base.Layers) {
		return "", fmt.Errorf("the base image has %d layers, but %d blobs are known", len(i.Base.Layers), len(i.Base.Blobs))
	}
	named, err := reference.ParseNormalizedNamed(i.Name)
	if err != nil {
		return "", fmt.Errorf("parsing image name %q: %w", i.Name, err)
	}
	config, err := i.configuration()
	if err != nil {
		return "", err
	}
	manifest, err := json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2},
		MediaType: ocispec.MediaTypeImageManifest,
		Config:    describe(ocispec.MediaTypeImageConfig, config),
		Layers:    slices.Concat([]ocispec.Descriptor{}, i.Blobs()),
	})
	if err != nil {
		return "", err
	}
	described := describe(ocispec.MediaTypeImageManifest, manifest)
	platform := i.platform()
	described.Platform = &platform
	described.Annotations = map[string]string{nameAnnotation: named.String()}
	index, err := json.Marshal(ocispec.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex, Manifests: []ocispec.Descriptor{described},
	})
	if err != nil {
		return "", err
	}
	layout, err := json.Marshal(ocispec.ImageLayout{Version: ocispec.ImageLayoutVersion})
	if err != nil {
		return "", err
	}
	a := archive{tar: tar.NewWriter(w)}
	a.add(ocispec.ImageLayoutFile, layout)
	a.add(ocispec.ImageIndexFile, index)
	a.add(blobPath(described.Digest), manifest)
	a.add(blobPath(digest.FromBytes(config)), config)
	if i.Layer != nil {
		a.copyLayer(blobPath(digest.Digest(i.Layer.Digest)), i.Layer)
	}
	return described.Digest.String(), a.close()
}

func describe(mediaType string, content []byte) ocispec.Descriptor {
	return ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(content), Size: int64(len(content))}
}

func blobPath(d digest.Digest) string {
	return path.Join(ocispec.ImageBlobsDir, d.Algorithm().String(), d.Encoded())
}

// ErrNoBlobs means that an exported image is no OCI layout, or that nothing there describes an image with the layers that were
// looked for.
var ErrNoBlobs = errors.New("nothing says which blobs the layers of the image are")

// maxDescription is the size of the largest blob that FindBlobs takes for a manifest or a configuration.
const maxDescription = 1 << 20

// FindBlobs reads an image that an engine exports, up to the manifest of the image with these layers, and returns its blobs.
// An engine exports blobs in the order of their digests, so this reads two thirds of an image on average. The error wraps
// [ErrNoBlobs] if the export is no OCI layout, which its beginning shows, or holds no such manifest.
func FindBlobs(export io.Reader, layers []string) ([]ocispec.Descriptor, error) {
	if len(layers) == 0 {
		return nil, nil
	}
	found := newBlobs()
	whole := false
	for archive := tar.NewReader(export); ; {
		header, err := archive.Next()
		switch {
		case errors.Is(err, io.EOF) && whole:
			return nil, ErrNoBlobs
		case errors.Is(err, io.EOF):
			return nil, fmt.Errorf("reading the exported image: %w", io.ErrUnexpectedEOF)
		case err != nil:
			return nil, fmt.Errorf("reading the exported image: %w", err)
		case !isLayout(header.Name):
			return nil, fmt.Errorf("%w: it begins with %s", ErrNoBlobs, header.Name)
		case header.Typeflag != tar.TypeReg || header.Size > maxDescription:
			continue
		}
		whole = whole || path.Clean(header.Name) == ocispec.ImageIndexFile // comes after the blobs
		content, err := io.ReadAll(archive)
		if err != nil {
			return nil, fmt.Errorf("reading the exported image: %w", err)
		}
		found.add(content)
		if blobs := found.of(layers); blobs != nil {
			return blobs, nil
		}
	}
}

// A Store reads a blob of an engine's store: the given number of bytes from its beginning, or all if that is 0.
type Store func(blob digest.Digest, size int64) ([]byte, error)

// FindBlobs returns the blobs of the image with these layers, all of which the store has. It reads the blobs that describe
// the image, from the one that the image's ID names: a manifest, or an index of manifests. The error wraps [ErrNoBlobs] if
// they describe no such image.
func (s Store) FindBlobs(id digest.Digest, layers []string) ([]ocispec.Descriptor, error) {
	if len(layers) == 0 {
		return nil, nil
	}
	found := newBlobs()
	more, err := s.describe(found, id)
	if err != nil {
		return nil, err
	}
	if len(found.manifests) == 0 {
		return s.ofIndex(more, layers)
	}
	if _, err := s.describe(found, more[0]); err != nil {
		return nil, err
	}
	blobs := found.of(layers)
	if blobs == nil {
		return nil, ErrNoBlobs
	}
	for _, blob := range blobs { // an engine does not fetch a layer that it has unpacked already
		if _, err := s(blob.Digest, 1); err != nil {
			return nil, err
		}
	}
	return blobs, nil
}

// ofIndex looks in all manifests of an index. It names images of other platforms, too, which an engine need not have.
func (s Store) ofIndex(manifests []digest.Digest, layers []string) ([]ocispec.Descriptor, error) {
	if len(manifests) == 0 {
		return nil, ErrNoBlobs
	}
	var failures []error
	for _, id := range manifests {
		blobs, err := s.FindBlobs(id, layers)
		if err == nil {
			return blobs, nil
		}
		failures = append(failures, err)
	}
	return nil, errors.Join(failures...)
}

// describe adds what a blob describes, and returns the blobs that describe more of it.
func (s Store) describe(found *blobs, id digest.Digest) (more []digest.Digest, err error) {
	content, err := s(id, 0)
	if err != nil {
		return nil, err
	}
	if digest.FromBytes(content) != id {
		return nil, fmt.Errorf("blob %s has another digest", id)
	}
	return found.add(content), nil
}

// isLayout reports whether a file can be a part of an OCI layout. Engines add manifest.json for older programs.
func isLayout(name string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(name, "./"), "/")
	return slices.Contains([]string{ocispec.ImageBlobsDir, ocispec.ImageIndexFile, ocispec.ImageLayoutFile, "manifest.json", "repositories"}, first)
}

// blobs holds the manifests and configurations that were found.
type blobs struct {
	manifests []ocispec.Manifest
	layers    map[digest.Digest][]digest.Digest // of each configuration
}

func newBlobs() *blobs { return &blobs{layers: map[digest.Digest][]digest.Digest{}} }

// add adds what a blob describes, and returns the blobs that describe more of it.
func (b *blobs) add(content []byte) (more []digest.Digest) {
	var manifest ocispec.Manifest
	if json.Unmarshal(content, &manifest) == nil && len(manifest.Layers) > 0 {
		b.manifests = append(b.manifests, manifest)
		return []digest.Digest{manifest.Config.Digest}
	}
	var config struct{ RootFS ocispec.RootFS }
	if json.Unmarshal(content, &config) == nil && len(config.RootFS.DiffIDs) > 0 {
		b.layers[digest.FromBytes(content)] = config.RootFS.DiffIDs
		return nil
	}
	var index ocispec.Index
	if json.Unmarshal(content, &index) == nil {
		for _, described := range index.Manifests {
			more = append(more, described.Digest)
		}
	}
	return more
}

// of returns the blobs of the image with these layers, or nil.
func (b *blobs) of(layers []string) []ocispec.Descriptor {
	for _, manifest := range b.manifests {
		same := slices.EqualFunc(b.layers[manifest.Config.Digest], layers, func(d digest.Digest, layer string) bool { return d.String() == layer })
		if same && len(manifest.Layers) == len(layers) {
			return manifest.Layers
		}
	}
	return nil
}
