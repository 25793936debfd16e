// SPDX-License-Identifier: Apache-2.0

package imagearchive_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/imagearchive"
)

// blob is a file of an export.
type blob struct {
	name    string
	content []byte
}

func jsonBlob(t *testing.T, value any) blob {
	t.Helper()
	content, err := json.Marshal(value)
	require.NoError(t, err)
	return blob{"blobs/sha256/" + digest.FromBytes(content).Encoded(), content}
}

// export writes files as docker save does with containerd's store: a directory first.
func export(t *testing.T, files ...blob) []byte {
	t.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	require.NoError(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "blobs/"}))
	for _, file := range files {
		require.NoError(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: file.name, Size: int64(len(file.content))}))
		_, err := w.Write(file.content)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return archive.Bytes()
}

// The layers of an image, and its blobs.
var (
	layers = []string{digestOf("one"), digestOf("two")}
	wanted = []ocispec.Descriptor{
		{MediaType: ocispec.MediaTypeImageLayerGzip, Digest: digest.FromString("one, packed"), Size: 1},
		{MediaType: ocispec.MediaTypeImageLayerGzip, Digest: digest.FromString("two, packed"), Size: 2},
	}
)

func TestFindBlobs(t *testing.T) {
	config := jsonBlob(t, map[string]any{"config": map[string]any{"Cmd": []string{"sh"}}, "rootfs": map[string]any{"diff_ids": layers}})
	otherConfig := jsonBlob(t, map[string]any{"rootfs": map[string]any{"diff_ids": []string{digestOf("three"), digestOf("four")}}})
	manifestOf := func(config blob, layers ...ocispec.Descriptor) blob {
		return jsonBlob(t, ocispec.Manifest{Config: ocispec.Descriptor{Digest: digest.FromBytes(config.content)}, Layers: layers})
	}
	manifest := manifestOf(config, wanted...)
	other := manifestOf(otherConfig, wanted[1], wanted[0])
	index := jsonBlob(t, ocispec.Index{Manifests: []ocispec.Descriptor{{Digest: digest.FromBytes(manifest.content)}}})
	attestation := manifestOf(blob{"", []byte("{}")}, wanted[0])
	layer := blob{"blobs/sha256/" + digest.FromString("x").Encoded(), bytes.Repeat([]byte{1}, 2<<20)}

	for name, files := range map[string][]blob{
		"manifest first":      {manifest, layer, config},
		"configuration first": {config, layer, manifest},
		"several platforms":   {other, attestation, index, otherConfig, manifest, config},
		"read no further":     {config, manifest, {"something else", nil}},
	} {
		t.Run(name, func(t *testing.T) {
			blobs, err := imagearchive.FindBlobs(bytes.NewReader(export(t, files...)), layers)
			require.NoError(t, err)
			assert.Equal(t, wanted, blobs)
		})
	}
	last := blob{"index.json", []byte("{}")}
	for name, files := range map[string][]blob{
		"of another image":      {other, otherConfig, index, last},
		"the form of podman":    {{digestOf("one") + ".tar", nil}, manifest, config},
		"a layer is missing":    {manifestOf(config, wanted[0]), config, last},
		"not a description":     {{"blobs/sha256/x", []byte("]")}, {"index.json", []byte("null")}},
		"a manifest of numbers": {{"blobs/sha256/x", []byte(`{"layers":[1],"rootfs":{"diff_ids":3}}`)}, last},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := imagearchive.FindBlobs(bytes.NewReader(export(t, files...)), layers)
			assert.ErrorIs(t, err, imagearchive.ErrNoBlobs)
		})
	}
	for name, cut := range map[string][]byte{
		"cut":                 export(t, layer, config, manifest)[:1<<20],
		"cut between entries": export(t, layer, config),
		"nothing":             nil,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := imagearchive.FindBlobs(bytes.NewReader(cut), layers)
			assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
			assert.NotErrorIs(t, err, imagearchive.ErrNoBlobs, "nothing is known from it")
		})
	}
	t.Run("no layers", func(t *testing.T) {
		blobs, err := imagearchive.FindBlobs(failing{}, nil)
		require.NoError(t, err)
		assert.Empty(t, blobs)
	})
}

func TestReadBlobs(t *testing.T) {
	idOf := func(b blob) digest.Digest { return digest.FromBytes(b.content) }
	describe := func(b blob) ocispec.Descriptor { return ocispec.Descriptor{Digest: idOf(b)} }
	config := jsonBlob(t, map[string]any{"config": map[string]any{"Cmd": []string{"sh"}}, "rootfs": map[string]any{"diff_ids": layers}})
	otherConfig := jsonBlob(t, map[string]any{"rootfs": map[string]any{"diff_ids": []string{digestOf("three"), digestOf("four")}}})
	manifest := jsonBlob(t, ocispec.Manifest{Config: describe(config), Layers: wanted})
	other := jsonBlob(t, ocispec.Manifest{Config: describe(otherConfig), Layers: wanted})
	missing := jsonBlob(t, ocispec.Manifest{Config: describe(jsonBlob(t, 1)), Layers: wanted})
	attestation := jsonBlob(t, ocispec.Manifest{Config: describe(jsonBlob(t, 2)), Layers: wanted[:1]})
	index := jsonBlob(t, ocispec.Index{Manifests: []ocispec.Descriptor{describe(missing), describe(attestation), describe(other), describe(manifest)}})
	nested := jsonBlob(t, ocispec.Index{Manifests: []ocispec.Descriptor{describe(index)}})
	store := map[digest.Digest][]byte{}
	for _, b := range []blob{config, otherConfig, manifest, other, attestation, index, nested, jsonBlob(t, []int{1}), jsonBlob(t, "text")} {
		store[idOf(b)] = b.content
	}
	errMissing := errors.New("it is not there")
	read := func(d digest.Digest) ([]byte, error) {
		if content, ok := store[d]; ok {
			return content, nil
		}
		return nil, errMissing
	}
	for name, id := range map[string]digest.Digest{"a manifest": idOf(manifest), "an index": idOf(index), "an index of indexes": idOf(nested)} {
		t.Run(name, func(t *testing.T) {
			blobs, err := imagearchive.ReadBlobs(read, id, layers)
			require.NoError(t, err)
			assert.Equal(t, wanted, blobs)
		})
	}
	for name, id := range map[string]digest.Digest{
		"of another image": idOf(other), "no manifest": idOf(config), "no object": idOf(jsonBlob(t, []int{1})), "a text": idOf(jsonBlob(t, "text")),
		"an index of other layers": idOf(jsonBlob(t, ocispec.Index{})), "without a configuration": idOf(missing), "an ID of another form": "one",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := imagearchive.ReadBlobs(read, id, layers)
			assert.ErrorIs(t, err, imagearchive.ErrNoBlobs)
		})
	}
	t.Run("fewer layers", func(t *testing.T) {
		_, err := imagearchive.ReadBlobs(read, idOf(manifest), layers[:1])
		assert.ErrorIs(t, err, imagearchive.ErrNoBlobs)
	})
	t.Run("the reason", func(t *testing.T) {
		_, err := imagearchive.ReadBlobs(read, idOf(missing), layers)
		assert.ErrorIs(t, err, errMissing)
	})
	t.Run("another blob", func(t *testing.T) {
		_, err := imagearchive.ReadBlobs(func(digest.Digest) ([]byte, error) { return manifest.content, nil }, idOf(index), layers)
		assert.ErrorContains(t, err, "has another digest")
	})
	t.Run("no layers", func(t *testing.T) {
		blobs, err := imagearchive.ReadBlobs(nil, "", nil)
		require.NoError(t, err)
		assert.Empty(t, blobs)
	})
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("read for nothing") }
