// SPDX-License-Identifier: Apache-2.0

package docker_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/imagearchive"
	"fabric-builder-docker/test/fakeengine"
)

// newArchive returns an archive of an image that adds nothing to base:1, in the form of docker save.
func newArchive(t *testing.T) io.Reader {
	t.Helper()
	image := imagearchive.Image{
		Name: "new:1",
		Base: imagearchive.Base{Platform: "linux/amd64", Config: []byte("{}"), Layers: []string{"sha256:a"}},
	}
	var archive bytes.Buffer
	_, err := image.WriteDocker(&archive)
	require.NoError(t, err)
	return &archive
}

func TestLoad(t *testing.T) {
	engine, client := connect(t)
	require.NoError(t, client.Load(t.Context(), newArchive(t)))
	_, ok := engine.Image("new:1")
	assert.True(t, ok)
}

func TestLoadFails(t *testing.T) {
	tests := map[string]struct {
		fault fakeengine.Fault
		want  string
	}{
		"in the answer": {fakeengine.Stream(func(w io.Writer, _ <-chan struct{}) {
			io.WriteString(w, `{"stream":"x"}{"errorDetail":{"message":"no space left on device"}}`)
		}), "no space left on device"},
		"by the status": {fakeengine.Fail(http.StatusNotFound, "layer not found"), "layer not found"},
		"half way":      {fakeengine.Cut(5), "unexpected EOF"},
		"at once":       {fakeengine.Drop(), "EOF"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			engine, client := connect(t)
			engine.On(fakeengine.Load, test.fault)
			err := client.Load(t.Context(), newArchive(t))
			require.ErrorContains(t, err, "loading an image: ")
			assert.ErrorContains(t, err, test.want)
			assert.False(t, docker.IsGone(err))
		})
	}
}

func TestLoadEndsWithItsSource(t *testing.T) {
	_, client := connect(t)
	err := client.Load(t.Context(), io.MultiReader(io.LimitReader(newArchive(t), 600), brokenReader{}))
	assert.ErrorContains(t, err, "the disk is gone")
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("the disk is gone") }

func TestExport(t *testing.T) {
	_, client := connect(t, fakeengine.ContainerdStore())
	archive, err := client.Export(t.Context(), "base:1")
	require.NoError(t, err)
	defer archive.Close()
	blobs, err := imagearchive.FindBlobs(archive, []string{"sha256:a"})
	require.NoError(t, err)
	require.Len(t, blobs, 1)
	assert.True(t, strings.HasSuffix(blobs[0].MediaType, "+gzip"))
	assert.Equal(t, digest.FromString("packed sha256:a"), blobs[0].Digest)

	_, err = client.Export(t.Context(), "none:1")
	assert.ErrorIs(t, err, docker.ErrNoImage)
}
