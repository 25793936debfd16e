// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"archive/tar"
	"bytes"
	"io"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// imageFile returns a file of an image, read from a container that is never started.
func imageFile(t *testing.T, image, path string) []byte {
	t.Helper()
	var created struct{ ID string }
	require.NoError(t, world.engine.Post(t.Context(), "/containers/create", map[string]any{"Image": image, "Cmd": []string{"/bin/sh"}}, &created))
	defer func() { require.NoError(t, world.engine.Delete(t.Context(), "/containers/"+created.ID+"?force=1&v=1")) }()
	archive, err := world.engine.Read(t.Context(), "/containers/"+created.ID+"/archive?path="+url.QueryEscape(path))
	require.NoError(t, err)
	files := tar.NewReader(bytes.NewReader(archive))
	_, err = files.Next()
	require.NoError(t, err)
	content, err := io.ReadAll(files)
	require.NoError(t, err)
	return content
}
