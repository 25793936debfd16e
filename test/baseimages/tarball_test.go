// SPDX-License-Identifier: Apache-2.0

package baseimages

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// packed returns the content of a tar by name, with "-> target" for links.
func packed(t *testing.T, files func(*tarball)) map[string]string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, pack(&out, files))
	found := map[string]string{}
	for r := tar.NewReader(&out); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		require.NoError(t, err)
		assert.Zero(t, h.Uid+h.Gid, h.Name)
		content, err := io.ReadAll(r)
		require.NoError(t, err)
		found[h.Name] = string(content)
		if h.Typeflag == tar.TypeSymlink {
			found[h.Name] = "-> " + h.Linkname
		}
	}
}

func write(t *testing.T, name, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
	require.NoError(t, os.WriteFile(name, []byte(content), 0o644))
}

// Debian's npm links to modules in other directories, which must be copied too.
func TestTreeCopiesTheTargetsOfLinksOutOfIt(t *testing.T) {
	base := t.TempDir()
	write(t, base+"/npm/bin/cli.js", "cli")
	write(t, base+"/npm/docs/long.md", "omitted")
	write(t, base+"/modules/semver/index.js", "semver")
	write(t, base+"/file.js", "file")
	for link, target := range map[string]string{
		"/npm/inside": "bin/cli.js", "/npm/semver": "../modules/semver",
		"/npm/file.js": base + "/file.js", "/npm/dangling": "nowhere",
	} {
		require.NoError(t, os.Symlink(target, base+link))
	}
	assert.Equal(t, map[string]string{
		"lib/npm/": "", "lib/npm/bin/": "", "lib/npm/bin/cli.js": "cli",
		"lib/npm/inside": "-> bin/cli.js", "lib/npm/file.js": "file",
		"lib/npm/semver/": "", "lib/npm/semver/index.js": "semver",
	}, packed(t, func(tb *tarball) { tb.tree("/lib/npm", base+"/npm", "docs") }))
}

func TestTreeStopsAtCircularLinks(t *testing.T) {
	base := t.TempDir()
	write(t, base+"/a/f", "")
	write(t, base+"/b/f", "")
	require.NoError(t, os.Symlink("../b", base+"/a/b"))
	require.NoError(t, os.Symlink("../a", base+"/b/a"))
	err := pack(io.Discard, func(tb *tarball) { tb.tree("/x", base+"/a") })
	assert.ErrorContains(t, err, "links in a row")
}

func TestAMissingFileFailsThePack(t *testing.T) {
	err := pack(io.Discard, func(tb *tarball) { tb.file("/x", "/no/such/file"); tb.dir("/y") })
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestUnframeRemovesTheHeaders(t *testing.T) {
	framed := []byte("\x01\x00\x00\x00\x00\x00\x00\x04out\n\x02\x00\x00\x00\x00\x00\x00\x04err\n")
	assert.Equal(t, "out\nerr\n", string(unframe(framed)))
	assert.Equal(t, "out\ner", string(unframe(framed[:len(framed)-2])))
	assert.Empty(t, unframe([]byte("\x01\x00")))
}
