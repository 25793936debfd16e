// SPDX-License-Identifier: Apache-2.0

package content_test

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/content"
)

var directories = []content.Directory{{Path: "/usr", Mode: 0o755}, {Path: "/usr/local", Mode: 0o2775, UID: 3, GID: 50}}

// newLayer returns a layer with directories and one file.
func newLayer(dir string) (*content.Layer, error) {
	return content.NewLayer(dir, directories, func(w io.Writer) error {
		archive := tar.NewWriter(w)
		if err := archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "usr/local/app", Mode: 0o755, Size: 3}); err != nil {
			return err
		}
		if _, err := archive.Write([]byte("app")); err != nil {
			return err
		}
		return archive.Close()
	})
}

func TestALayerIsOneArchive(t *testing.T) {
	dir := t.TempDir()
	layer, err := newLayer(dir)
	require.NoError(t, err)
	defer layer.Close()
	text, err := io.ReadAll(io.NewSectionReader(layer, 0, layer.Size))
	require.NoError(t, err)
	assert.Len(t, text, int(layer.Size))
	hash := sha256.Sum256(text)
	assert.Equal(t, "sha256:"+hex.EncodeToString(hash[:]), layer.Digest)

	archive := tar.NewReader(io.NewSectionReader(layer, 0, layer.Size))
	for _, want := range []tar.Header{
		{Name: "usr/", Mode: 0o755}, {Name: "usr/local/", Mode: 0o2775, Uid: 3, Gid: 50}, {Name: "usr/local/app", Mode: 0o755},
	} {
		header, err := archive.Next()
		require.NoError(t, err)
		assert.Equal(t, want, tar.Header{Name: header.Name, Mode: header.Mode, Uid: header.Uid, Gid: header.Gid})
		assert.Zero(t, header.ModTime.Unix())
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left, "the file has no name, so nothing is left if the process is killed")
}

func TestALayerIsReproducible(t *testing.T) {
	one, err := newLayer(t.TempDir())
	require.NoError(t, err)
	defer one.Close()
	two, err := newLayer(t.TempDir())
	require.NoError(t, err)
	defer two.Close()
	assert.Equal(t, one.Digest, two.Digest)
}

func TestALayerThatCannotBeStored(t *testing.T) {
	_, err := newLayer("/nowhere")
	assert.ErrorContains(t, err, "storing the image's layer: ")

	broken := errors.New("the engine has gone")
	_, err = content.NewLayer(t.TempDir(), nil, func(io.Writer) error { return broken })
	assert.ErrorIs(t, err, broken)
}
