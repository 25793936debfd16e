// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"

	containers "github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// home is where the image has the programs: the path for core.yaml.
const home = "opt/hyperledger/docker_builder"

// writeImage writes an archive that docker load and podman load take, of an image with the files of the target "programs" in
// packaging/Dockerfile.
func (r release) writeImage() error {
	content, err := pack(home, r.installed(), r.date)
	if err != nil {
		return err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil })
	if err != nil {
		return fmt.Errorf("packing the image's layer: %w", err)
	}
	date := v1.Time{Time: r.date}
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{
		OS: "linux", Architecture: r.architecture, Created: date, RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{Labels: r.labels()},
	})
	if err != nil {
		return fmt.Errorf("configuring the image: %w", err)
	}
	image, err = mutate.Append(image, mutate.Addendum{Layer: layer, History: v1.History{Created: date, CreatedBy: "make dist"}})
	if err != nil {
		return fmt.Errorf("making the image: %w", err)
	}
	tag, err := containers.NewTag(name + ":" + r.version)
	if err != nil {
		return fmt.Errorf("naming the image: %w", err)
	}
	if err := tarball.WriteToFile(filepath.Join(r.out, r.base()+".image.tar"), tag, image); err != nil {
		return fmt.Errorf("writing the image: %w", err)
	}
	return nil
}

func (r release) labels() map[string]string {
	labels := map[string]string{
		ocispec.AnnotationTitle:    name,
		ocispec.AnnotationVersion:  r.version,
		ocispec.AnnotationLicenses: "Apache-2.0",
	}
	if r.commit != "" {
		labels[ocispec.AnnotationRevision] = r.commit
	}
	return labels
}
