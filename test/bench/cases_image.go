// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/imagearchive"
)

// layerSizes are those of a changed line, a Go program, a shaded jar, and a large image.
var layerSizes = []struct {
	name  string
	bytes int
}{{"1 KB", 1000}, {"18 MB", 18e6}, {"42 MB", 42e6}, {"200 MB", 200e6}}

// imageCases make an image of one new layer on the Node image, by a load and by a commit.
func (b *bench) imageCases() []benchCase {
	loader := &loader{bench: b}
	var cases []benchCase
	for _, size := range layerSizes {
		r := b.report.add(row{section: "An image of one new layer", name: size.name, unit: seconds, way: "create, upload, commit, remove", asked: asked{of: gain}})
		cases = append(cases, benchCase{name: "Image of " + size.name, rows: []*row{r}, measure: func(ctx context.Context, round int) error {
			if err := loader.connect(ctx); err != nil {
				return err
			}
			return loader.compare(ctx, r, size.bytes)
		}})
	}
	return cases
}

// loader makes images on a base image in both ways.
type loader struct {
	bench  *bench
	engine *docker.Engine // nil until connect
	base   imagearchive.Base
}

// connect connects to the engine, and finds the blobs of the base image if the engine loads no image without them.
func (l *loader) connect(ctx context.Context) error {
	if l.engine != nil {
		return nil
	}
	client, err := docker.Connect(ctx, l.bench.host)
	if err != nil {
		return err
	}
	l.bench.closers = append(l.bench.closers, client.Close)
	image, err := client.Image(ctx, l.bench.images.nodeenv)
	if err != nil {
		return err
	}
	l.base = imagearchive.Base{Platform: image.Platform, Config: image.Config, Layers: image.Layers}
	l.engine = client
	probe := prefix + "/layer:" + strings.ToLower(rand.Text())
	if err := l.loadImage(ctx, imagearchive.Image{Name: probe, Base: l.base}); err == nil {
		return l.bench.engine.Delete(ctx, "/images/"+probe+"?force=1")
	}
	l.base.Blobs, err = findBlobs(ctx, client, image)
	return err
}

func findBlobs(ctx context.Context, client *docker.Engine, image docker.Image) ([]ocispec.Descriptor, error) {
	export, err := client.Export(ctx, image.ID)
	if err != nil {
		return nil, err
	}
	defer export.Close()
	return imagearchive.FindBlobs(export, image.Layers)
}

// compare makes an image with a new layer of that size in both ways.
func (l *loader) compare(ctx context.Context, r *row, size int) error {
	for _, way := range []struct {
		figures *series
		make    func(context.Context, string, func(io.Writer) error) error
	}{{&r.ours, l.load}, {r.beside, l.commit}} {
		file := make([]byte, size)
		rand.Read(file) // never fails
		write := func(w io.Writer) error { return oneFile(w, file) }
		image := prefix + "/layer:" + strings.ToLower(rand.Text())
		began := time.Now()
		if err := way.make(ctx, image, write); err != nil {
			return err
		}
		way.figures.took(time.Since(began))
		if err := l.bench.engine.Delete(ctx, "/images/"+image+"?force=1"); err != nil {
			return err
		}
	}
	return nil
}

func oneFile(w io.Writer, file []byte) error {
	archive := tar.NewWriter(w)
	if err := archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "opt/file", Mode: 0o644, Size: int64(len(file))}); err != nil {
		return err
	}
	if _, err := archive.Write(file); err != nil {
		return err
	}
	return archive.Close()
}

func (l *loader) load(ctx context.Context, name string, write func(io.Writer) error) error {
	layer, err := content.NewLayer(l.bench.scratch, []content.Directory{{Path: "/opt", Mode: 0o755}}, write)
	if err != nil {
		return err
	}
	defer layer.Close()
	return l.loadImage(ctx, imagearchive.Image{
		Name: name, Base: l.base, Layer: &imagearchive.Layer{Digest: layer.Digest, Size: layer.Size, Content: layer},
	})
}

func (l *loader) loadImage(ctx context.Context, image imagearchive.Image) error {
	reader, writer := io.Pipe()
	defer reader.Close()
	go func() {
		form := image.WriteDocker
		if l.base.Blobs != nil {
			form = image.WriteOCI
		}
		_, err := form(writer)
		writer.CloseWithError(err)
	}()
	return l.engine.Load(ctx, reader)
}

func (l *loader) commit(ctx context.Context, name string, write func(io.Writer) error) error {
	id, holder, err := l.engine.CreateOrInspect(ctx, docker.Spec{
		Name: prefix + "-layer", Image: l.bench.images.nodeenv, Command: []string{"true"}, Labels: map[string]string{label: "commit"},
	})
	if err != nil {
		return err
	}
	if holder != nil {
		return fmt.Errorf("container %s is there already", holder.Name)
	}
	reader, writer := io.Pipe()
	defer reader.Close()
	go func() { writer.CloseWithError(write(writer)) }()
	err = l.engine.Upload(ctx, id, "/", reader)
	if err == nil {
		err = l.engine.Commit(ctx, id, name, nil)
	}
	return errors.Join(err, l.engine.Remove(ctx, id))
}
