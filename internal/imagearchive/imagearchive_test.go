// SPDX-License-Identifier: Apache-2.0

package imagearchive_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/imagearchive"
)

// everything is a configuration that sets each field.
const everything = `{
	"User":"chaincode","ExposedPorts":{"7052/tcp":{}},"Env":["PATH=/bin","LEVEL=old"],"Entrypoint":["/init"],"Cmd":["sh"],
	"Volumes":{"/data":{}},"WorkingDir":"/work","Labels":{"of":"base"},"StopSignal":"SIGINT",
	"Healthcheck":{"Test":["CMD","true"],"Interval":5000000000,"Retries":2},"OnBuild":["RUN x"],"Shell":["/bin/bash","-c"]
}`

const layerText = "the layer"

// newImage returns an image of a base with two layers and one of its own.
func newImage() imagearchive.Image {
	return imagearchive.Image{
		Name: "fabric-chaincode/golang:0123",
		Base: imagearchive.Base{
			Platform: "linux/arm64/v8", Config: []byte(everything), Layers: []string{digestOf("one"), digestOf("two")},
			Blobs: []ocispec.Descriptor{
				{MediaType: ocispec.MediaTypeImageLayerGzip, Digest: digest.FromString("one, packed"), Size: 11},
				{MediaType: ocispec.MediaTypeImageLayerGzip, Digest: digest.FromString("two, packed"), Size: 22},
			},
		},
		Layer:  &imagearchive.Layer{Digest: digestOf(layerText), Size: int64(len(layerText)), Content: strings.NewReader(layerText)},
		Labels: map[string]string{"of": "ours", "kind": "chaincode"},
		Env:    []string{"LEVEL=3.1"},
	}
}

func digestOf(text string) string { return digest.FromString(text).String() }

// files unpacks an archive, in its order.
func files(t *testing.T, archive io.Reader) (names []string, contents map[string]string) {
	t.Helper()
	contents = map[string]string{}
	for reader := tar.NewReader(archive); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return names, contents
		}
		require.NoError(t, err)
		content, err := io.ReadAll(reader)
		require.NoError(t, err)
		names, contents[header.Name] = append(names, header.Name), string(content)
	}
}

var update = flag.Bool("update", false, "rewrite the golden files")

// assertGolden compares an archive with a file in testdata.
func assertGolden(t *testing.T, name string, archive io.Reader) {
	t.Helper()
	var text strings.Builder
	names, contents := files(t, archive)
	for _, name := range names {
		var indented bytes.Buffer
		if json.Indent(&indented, []byte(contents[name]), "", "  ") != nil {
			indented.WriteString(contents[name])
		}
		fmt.Fprintf(&text, "--- %s\n%s\n", name, indented.String())
	}
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(text.String()), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, string(want), text.String())
}

func TestWriteDocker(t *testing.T) {
	var archive bytes.Buffer
	id, err := newImage().WriteDocker(&archive)
	require.NoError(t, err)
	_, contents := files(t, bytes.NewReader(archive.Bytes()))
	config := contents[strings.TrimPrefix(id, "sha256:")+".json"]
	assert.Equal(t, id, digestOf(config), "the ID is the digest of the configuration")
	assertGolden(t, "docker.golden", &archive)
}

func TestWriteOCI(t *testing.T) {
	var archive bytes.Buffer
	id, err := newImage().WriteOCI(&archive)
	require.NoError(t, err)
	_, contents := files(t, bytes.NewReader(archive.Bytes()))
	for name, content := range contents {
		if hash, ok := strings.CutPrefix(name, "blobs/sha256/"); ok {
			assert.Equal(t, "sha256:"+hash, digestOf(content), name)
		}
	}
	assert.Contains(t, contents, "blobs/sha256/"+strings.TrimPrefix(id, "sha256:"), "the ID is the digest of the manifest")
	assertGolden(t, "oci.golden", &archive)
}

// Two peers that build the same get the same image, and so do a builder and another one years later.
func TestTheSamePartsGiveTheSameImage(t *testing.T) {
	for name, write := range map[string]func(imagearchive.Image, io.Writer) (string, error){
		"docker": imagearchive.Image.WriteDocker, "OCI": imagearchive.Image.WriteOCI,
	} {
		t.Run(name, func(t *testing.T) {
			var one, two bytes.Buffer
			first, err := write(newImage(), &one)
			require.NoError(t, err)
			second, err := write(newImage(), &two)
			require.NoError(t, err)
			assert.Equal(t, first, second)
			assert.Equal(t, one.Bytes(), two.Bytes())

			other := newImage()
			other.Labels["kind"] = "snapshot"
			third, err := write(other, io.Discard)
			require.NoError(t, err)
			assert.NotEqual(t, first, third)
		})
	}
}

func TestAnImageWithoutALayerOfItsOwn(t *testing.T) {
	image := newImage()
	image.Layer = nil
	var docker, oci bytes.Buffer
	_, err := image.WriteDocker(&docker)
	require.NoError(t, err)
	_, err = image.WriteOCI(&oci)
	require.NoError(t, err)
	assertGolden(t, "docker-nolayer.golden", &docker)
	assertGolden(t, "oci-nolayer.golden", &oci)
}

func TestBasesOfAnySize(t *testing.T) {
	for _, layers := range []int{0, 1, 100} {
		image := newImage()
		image.Base.Layers, image.Base.Blobs = nil, nil
		for n := range layers {
			image.Base.Layers = append(image.Base.Layers, digestOf(fmt.Sprint(n)))
			image.Base.Blobs = append(image.Base.Blobs, ocispec.Descriptor{Digest: digest.FromString(fmt.Sprint("packed", n))})
		}
		var archive bytes.Buffer
		_, err := image.WriteDocker(&archive)
		require.NoError(t, err)
		_, contents := files(t, &archive)
		var manifest []struct{ Layers []string }
		require.NoError(t, json.Unmarshal([]byte(contents["manifest.json"]), &manifest))
		assert.Len(t, manifest[0].Layers, layers+1)
		assert.Len(t, image.Blobs(), layers+1)
		_, err = image.WriteOCI(io.Discard)
		require.NoError(t, err)
	}
}

func TestInvalidImages(t *testing.T) {
	tests := map[string]struct {
		change func(*imagearchive.Image)
		want   string
	}{
		"a cut layer":      {func(i *imagearchive.Image) { i.Layer.Content = strings.NewReader("the") }, "writing the image's archive: "},
		"no configuration": {func(i *imagearchive.Image) { i.Base.Config = nil }, "reading the configuration of the base image: "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, write := range []func(imagearchive.Image, io.Writer) (string, error){imagearchive.Image.WriteDocker, imagearchive.Image.WriteOCI} {
				image := newImage()
				test.change(&image)
				_, err := write(image, io.Discard)
				assert.ErrorContains(t, err, test.want)
			}
		})
	}
	image := newImage()
	image.Base.Blobs = image.Base.Blobs[:1]
	_, err := image.WriteOCI(io.Discard)
	assert.EqualError(t, err, "the base image has 2 layers, but 1 blobs are known")
}
