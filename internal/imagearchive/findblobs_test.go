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

// memoryStore is a store of an engine.
type memoryStore map[digest.Digest][]byte

var errMissing = errors.New("it is not there")

func (m memoryStore) read(d digest.Digest, size int64) ([]byte, error) {
	content, ok := m[d]
	switch {
	case !ok:
		return nil, errMissing
	case size > 0:
		return content[:size], nil
	case !json.Valid(content):
		return nil, errors.New("a whole layer is too much")
	}
	return content, nil
}

// put stores a blob and returns its description.
func (m memoryStore) put(content blob) ocispec.Descriptor {
	d := describe(content)
	m[d.Digest] = content.content
	return d
}

func describe(content blob) ocispec.Descriptor {
	return ocispec.Descriptor{Digest: digest.FromBytes(content.content)}
}

func TestFindBlobsInAStore(t *testing.T) {
	config := jsonBlob(t, map[string]any{"config": map[string]any{"Cmd": []string{"sh"}}, "rootfs": map[string]any{"diff_ids": layers}})
	otherConfig := jsonBlob(t, map[string]any{"rootfs": map[string]any{"diff_ids": []string{digestOf("three"), digestOf("four")}}})
	absent := jsonBlob(t, "absent")
	unpacked := []ocispec.Descriptor{wanted[0], describe(absent)}
	manifestOf := func(config blob, layers []ocispec.Descriptor) blob {
		return jsonBlob(t, ocispec.Manifest{Config: describe(config), Layers: layers})
	}
	indexOf := func(manifests ...ocispec.Descriptor) blob { return jsonBlob(t, ocispec.Index{Manifests: manifests}) }

	m := memoryStore{wanted[0].Digest: []byte("one, packed"), wanted[1].Digest: []byte("two, packed")}
	m.put(config)
	m.put(otherConfig)
	manifest, other := m.put(manifestOf(config, wanted)), m.put(manifestOf(otherConfig, wanted))
	withoutConfig, incomplete := m.put(manifestOf(absent, wanted)), m.put(manifestOf(config, unpacked))
	attestation := m.put(manifestOf(jsonBlob(t, "statement"), wanted[:1]))
	index := m.put(indexOf(describe(absent), attestation, withoutConfig, other, incomplete, manifest))
	for name, id := range map[string]ocispec.Descriptor{"a manifest": manifest, "an index": index, "an index of indexes": m.put(indexOf(attestation, index))} {
		t.Run(name, func(t *testing.T) {
			blobs, err := imagearchive.Store(m.read).FindBlobs(id.Digest, layers)
			require.NoError(t, err)
			assert.Equal(t, wanted, blobs)
		})
	}
	for name, test := range map[string]struct {
		id     digest.Digest
		layers []string
		want   error
	}{
		"of another image":           {other.Digest, layers, imagearchive.ErrNoBlobs},
		"fewer layers":               {manifest.Digest, layers[:1], imagearchive.ErrNoBlobs},
		"no manifest":                {describe(config).Digest, layers, imagearchive.ErrNoBlobs},
		"no object":                  {m.put(jsonBlob(t, []int{1})).Digest, layers, imagearchive.ErrNoBlobs},
		"a text":                     {m.put(jsonBlob(t, "text")).Digest, layers, imagearchive.ErrNoBlobs},
		"an index of nothing":        {m.put(indexOf()).Digest, layers, imagearchive.ErrNoBlobs},
		"an index of another image":  {m.put(indexOf(other)).Digest, layers, imagearchive.ErrNoBlobs},
		"absent":                     {describe(absent).Digest, layers, errMissing},
		"an ID of another form":      {"one", layers, errMissing},
		"without a configuration":    {withoutConfig.Digest, layers, errMissing},
		"an unpacked layer alone":    {incomplete.Digest, layers, errMissing},
		"an index of what is absent": {m.put(indexOf(describe(absent))).Digest, layers, errMissing},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := imagearchive.Store(m.read).FindBlobs(test.id, test.layers)
			assert.ErrorIs(t, err, test.want)
		})
	}
	t.Run("another blob", func(t *testing.T) {
		changed := imagearchive.Store(func(d digest.Digest, size int64) ([]byte, error) { return m.read(manifest.Digest, size) })
		_, err := changed.FindBlobs(index.Digest, layers)
		assert.ErrorContains(t, err, "has another digest")
	})
	t.Run("no layers", func(t *testing.T) {
		blobs, err := imagearchive.Store(nil).FindBlobs("", nil)
		require.NoError(t, err)
		assert.Empty(t, blobs)
	})
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("read for nothing") }
