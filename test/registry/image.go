// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"net/url"
	"path"
	"runtime"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/test/engine"
)

// File is a file of an image.
type File struct {
	Body       []byte
	Executable bool
}

// Content is what an image adds to its base image.
type Content struct {
	Files      map[string]File // by absolute path
	Entrypoint []string
	Command    []string
	Env        []string // KEY=VALUE
	User       string
	WorkingDir string
	Labels     map[string]string
	Volumes    []string
}

// Image returns an image without a base image, for the machine's architecture.
func Image(t testing.TB, content Content) v1.Image {
	t.Helper()
	return On(t, empty.Image, content)
}

// On returns an image with the content on top of base. It keeps the base's configuration where content sets nothing.
func On(t testing.TB, base v1.Image, content Content) v1.Image {
	t.Helper()
	archive := pack(t, content.Files)
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive)), nil })
	require.NoError(t, err)
	image, err := mutate.AppendLayers(base, layer)
	require.NoError(t, err)
	file, err := image.ConfigFile()
	require.NoError(t, err)
	file = file.DeepCopy()
	file.OS, file.Architecture = "linux", runtime.GOARCH
	content.configure(&file.Config)
	image, err = mutate.ConfigFile(image, file)
	require.NoError(t, err)
	return image
}

func (c Content) configure(config *v1.Config) {
	for _, list := range []struct {
		to   *[]string
		from []string
	}{{&config.Entrypoint, c.Entrypoint}, {&config.Cmd, c.Command}} {
		if list.from != nil {
			*list.to = list.from
		}
	}
	config.Env = append(slices.Clone(config.Env), c.Env...)
	if c.User != "" {
		config.User = c.User
	}
	if c.WorkingDir != "" {
		config.WorkingDir = c.WorkingDir
	}
	for key, value := range c.Labels {
		if config.Labels == nil {
			config.Labels = map[string]string{}
		}
		config.Labels[key] = value
	}
	for _, volume := range c.Volumes {
		if config.Volumes == nil {
			config.Volumes = map[string]struct{}{}
		}
		config.Volumes[volume] = struct{}{}
	}
}

// pack returns a tar of the files. The same files give the same bytes.
func pack(t testing.TB, files map[string]File) []byte {
	t.Helper()
	var buffer bytes.Buffer
	archive := tar.NewWriter(&buffer)
	names, dirs := []string{}, map[string]bool{"/": true, ".": true}
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, dir := range missing(dirs, path.Dir(name)) {
			require.NoError(t, archive.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: strings.TrimPrefix(dir, "/") + "/", Mode: 0o755}))
		}
		header := &tar.Header{Typeflag: tar.TypeReg, Name: strings.TrimPrefix(name, "/"), Mode: 0o644, Size: int64(len(files[name].Body))}
		if files[name].Executable {
			header.Mode = 0o755
		}
		require.NoError(t, archive.WriteHeader(header))
		_, err := archive.Write(files[name].Body)
		require.NoError(t, err)
	}
	require.NoError(t, archive.Close())
	return buffer.Bytes()
}

// missing returns dir and its parents that are not in there yet, parents first, and adds them.
func missing(there map[string]bool, dir string) []string {
	if there[dir] {
		return nil
	}
	there[dir] = true
	return append(missing(there, path.Dir(dir)), dir)
}

// FromEngine returns an image from an engine. It is held in memory, so use small ones, and each layer is compressed once,
// however often the image is pushed.
func FromEngine(t testing.TB, client *engine.Client, image string) v1.Image {
	t.Helper()
	saved, err := client.Read(t.Context(), "/images/"+url.PathEscape(image)+"/get")
	require.NoError(t, err)
	found, err := tarball.Image(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(saved)), nil }, nil)
	require.NoError(t, err)
	layers, err := found.Layers()
	require.NoError(t, err)
	for i, layer := range layers {
		layers[i], err = tarball.LayerFromOpener(layer.Uncompressed, tarball.WithCompressedCaching, tarball.WithCompressionLevel(gzip.BestSpeed))
		require.NoError(t, err)
	}
	file, err := found.ConfigFile()
	require.NoError(t, err)
	compressed, err := mutate.AppendLayers(empty.Image, layers...)
	require.NoError(t, err)
	compressed, err = mutate.ConfigFile(compressed, file)
	require.NoError(t, err)
	return compressed
}
