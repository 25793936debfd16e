// SPDX-License-Identifier: Apache-2.0

// Package imagearchive writes an image as an archive that an engine can load: the configuration and the one layer that the
// engine does not have. The layers of the base image are named, but their content is left out. It contacts no engine.
//
// There are two forms. Docker's classic image stores load the form of docker save; layers that they have are not read from
// it. containerd's image store loads an OCI layout, whose manifest names the base's layers as blobs (see [FindBlobs]).
//
// An image depends only on its parts: the same parts give the same archive and the same ID on every engine of a kind.
package imagearchive

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	dockerspec "github.com/moby/docker-image-spec/specs-go/v1"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// author is what the history of an image names as its maker.
const author = "fabric-builder-docker"

// Base is the image below the new layer.
type Base struct {
	Platform string               // os/architecture[/variant]
	Config   []byte               // JSON, as the OCI and Docker image specifications define it
	Layers   []string             // digests of the uncompressed layers, lowest first
	Blobs    []ocispec.Descriptor // the same layers as containerd's store has them; only for an OCI layout
}

// Layer is an uncompressed tar.
type Layer struct {
	Digest  string // sha256:HEX
	Size    int64
	Content io.ReaderAt
}

// Image is an image made of a base and at most one layer more.
type Image struct {
	Name   string // REPOSITORY:TAG
	Base   Base
	Layer  *Layer            // nil: only the configuration is new
	Labels map[string]string // added to the base's
	Env    []string          // KEY=VALUE, added to the base's
}

// configuration returns the image's configuration as JSON. Everything of the base applies, except for its ONBUILD
// instructions: those are for a Dockerfile that begins with the base, and a commit drops them, too.
func (i Image) configuration() ([]byte, error) {
	created := time.Unix(0, 0).UTC()
	var all dockerspec.DockerOCIImage
	all.Created, all.Author, all.Platform = &created, author, i.platform()
	if err := json.Unmarshal(i.Base.Config, &all.Config); err != nil {
		return nil, fmt.Errorf("reading the configuration of the base image: %w", err)
	}
	all.Config.OnBuild = nil
	all.Config.Env = withVariables(all.Config.Env, i.Env)
	all.Config.Labels = withLabels(all.Config.Labels, i.Labels)
	all.RootFS = ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{}}
	for n, layer := range i.Base.Layers {
		all.RootFS.DiffIDs = append(all.RootFS.DiffIDs, digest.Digest(layer))
		all.History = append(all.History, ocispec.History{Created: &created, CreatedBy: fmt.Sprintf("layer %d of the base image", n+1)})
	}
	if i.Layer != nil {
		all.RootFS.DiffIDs = append(all.RootFS.DiffIDs, digest.Digest(i.Layer.Digest))
	}
	all.History = append(all.History, ocispec.History{Created: &created, CreatedBy: author, EmptyLayer: i.Layer == nil})
	return json.Marshal(all)
}

func (i Image) platform() ocispec.Platform {
	parts := append(strings.SplitN(i.Base.Platform, "/", 3), "", "", "")
	return ocispec.Platform{OS: parts[0], Architecture: parts[1], Variant: parts[2]}
}

// withVariables returns variables with others in front, which replace variables of the same name, as in a commit.
func withVariables(variables, others []string) []string {
	name := func(variable string) string {
		before, _, _ := strings.Cut(variable, "=")
		return before
	}
	all := slices.DeleteFunc(slices.Clone(variables), func(variable string) bool {
		return slices.ContainsFunc(others, func(other string) bool { return name(other) == name(variable) })
	})
	return append(slices.Clone(others), all...)
}

func withLabels(labels, others map[string]string) map[string]string {
	all := map[string]string{}
	maps.Copy(all, labels)
	maps.Copy(all, others)
	return all
}

// WriteDocker writes the image in the form of docker save and returns its ID, the digest of its configuration.
func (i Image) WriteDocker(w io.Writer) (id string, err error) {
	config, err := i.configuration()
	if err != nil {
		return "", err
	}
	hash := sum(config)
	type entry struct {
		Config   string
		RepoTags []string
		Layers   []string // one for each layer; the files of the base's are missing
	}
	all := entry{Config: hash + ".json", RepoTags: []string{i.Name}, Layers: []string{}}
	for n := range i.Base.Layers {
		all.Layers = append(all.Layers, fmt.Sprintf("base-%d.tar", n+1))
	}
	const layerFile = "layer.tar"
	if i.Layer != nil {
		all.Layers = append(all.Layers, layerFile)
	}
	manifest, err := json.Marshal([]entry{all})
	if err != nil {
		return "", err
	}
	a := archive{tar: tar.NewWriter(w)}
	a.add("manifest.json", manifest)
	a.add(all.Config, config)
	if i.Layer != nil {
		a.copyLayer(layerFile, i.Layer)
	}
	return "sha256:" + hash, a.close()
}

// archive writes files to a tar, and keeps the first error for close.
type archive struct {
	tar *tar.Writer
	err error
}

func (a *archive) add(name string, content []byte) {
	a.copy(name, int64(len(content)), bytes.NewReader(content))
}

func (a *archive) copy(name string, size int64, content io.Reader) {
	if a.err != nil {
		return
	}
	if a.err = a.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: size}); a.err == nil {
		_, a.err = io.Copy(a.tar, content)
	}
}

func (a *archive) copyLayer(name string, layer *Layer) {
	a.copy(name, layer.Size, io.NewSectionReader(layer.Content, 0, layer.Size))
}

func (a *archive) close() error {
	if a.err == nil {
		a.err = a.tar.Close()
	}
	if a.err != nil {
		return fmt.Errorf("writing the image's archive: %w", a.err)
	}
	return nil
}

// sum returns the SHA-256 of data in hex.
func sum(data []byte) string {
	hash := sha256.Sum256(data)
	return hex.EncodeToString(hash[:])
}
