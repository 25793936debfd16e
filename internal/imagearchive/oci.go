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

// ErrNoBlobs means that an exported image is no OCI layout, or does not describe the layers that were looked for.
var ErrNoBlobs = errors.New("the exported image does not say which blobs its layers are")

// maxDescription is the size of the largest blob that FindBlobs takes for a manifest or a configuration.
const maxDescription = 1 << 20

// FindBlobs reads an image that an engine exports, up to the manifest of the image with these layers, and returns its blobs.
// An engine exports blobs in the order of their digests, so this reads about half of an image. The error wraps
// [ErrNoBlobs] if the export is no OCI layout, which its beginning shows, or holds no such manifest.
func FindBlobs(export io.Reader, layers []string) ([]ocispec.Descriptor, error) {
	if len(layers) == 0 {
		return nil, nil
	}
	found := blobs{layers: map[digest.Digest][]digest.Digest{}}
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

// ReadBlobs returns the blobs of the image with these layers. It reads the blobs that describe the image, from the one that
// the image's ID names: a manifest, or an index of manifests. The error wraps [ErrNoBlobs] if they describe no such image.
func ReadBlobs(read func(digest.Digest) ([]byte, error), id digest.Digest, layers []string) ([]ocispec.Descriptor, error) {
	if len(layers) == 0 {
		return nil, nil
	}
	found := blobs{layers: map[digest.Digest][]digest.Digest{}}
	failures := []error{ErrNoBlobs}
	for next := []digest.Digest{id}; len(next) > 0; next = next[1:] {
		content, err := read(next[0])
		if err == nil && digest.FromBytes(content) != next[0] {
			err = fmt.Errorf("blob %s has another digest", next[0])
		}
		if err != nil { // an index names images of other platforms, which an engine need not have
			failures = append(failures, err)
			continue
		}
		next = append(next, found.add(content)...)
		if blobs := found.of(layers); blobs != nil {
			return blobs, nil
		}
	}
	return nil, errors.Join(failures...)
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
