// SPDX-License-Identifier: Apache-2.0

package metadata_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
)

func TestReadImage(t *testing.T) {
	image, err := metadata.ReadImage(fstest.MapFS{"image.json": {Data: []byte(`{"name":"a:1","digest":"sha256:x","platform":"linux"}`)}})
	require.NoError(t, err)
	assert.Equal(t, metadata.Image{Name: "a:1", Digest: "sha256:x"}, image)

	_, err = metadata.ReadImage(fstest.MapFS{"src/image.json": {Data: []byte(`{"name":"a","digest":"b"}`)}})
	assert.EqualError(t, err, "reading image.json: file does not exist")
}
