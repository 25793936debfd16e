// SPDX-License-Identifier: Apache-2.0

package content_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/content"
)

// gzipped returns a gzipped tar of the given entries. The content of a file is in Uname.
func gzipped(t *testing.T, entries ...tar.Header) []byte {
	t.Helper()
	var packed bytes.Buffer
	compressed := gzip.NewWriter(&packed)
	archive := tar.NewWriter(compressed)
	for _, header := range entries {
		content := header.Uname
		header.Uname, header.Mode = "", 0o644
		if header.Typeflag == tar.TypeReg {
			header.Size = int64(len(content))
		}
		require.NoError(t, archive.WriteHeader(&header))
		_, err := archive.Write([]byte(content)[:header.Size])
		require.NoError(t, err)
	}
	require.NoError(t, archive.Close())
	require.NoError(t, compressed.Close())
	return packed.Bytes()
}

func regular(name, content string) tar.Header {
	return tar.Header{Typeflag: tar.TypeReg, Name: name, Uname: content}
}

func packageFile(t *testing.T, entries ...tar.Header) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "basic.tgz")
	require.NoError(t, os.WriteFile(path, gzipped(t, entries...), 0o644))
	return path
}

func TestUnpackPackage(t *testing.T) {
	code := gzipped(t, tar.Header{Typeflag: tar.TypeDir, Name: "src/"}, regular("src/go.mod", "module x"), regular("META-INF/a/b.json", "{}"))
	path := packageFile(t, regular("metadata.json", `{"type":"golang"}`), regular("code.tar.gz", string(code)))
	source, metadataDir, err := content.UnpackPackage(path, t.TempDir())
	require.NoError(t, err)
	for name, want := range map[string]string{
		filepath.Join(metadataDir, "metadata.json"): `{"type":"golang"}`, filepath.Join(source, "src/go.mod"): "module x",
		filepath.Join(source, "META-INF/a/b.json"): "{}",
	} {
		got, err := os.ReadFile(name)
		require.NoError(t, err)
		assert.Equal(t, want, string(got))
	}
}

func TestUnpackPackageRejectsInvalidFiles(t *testing.T) {
	link := gzipped(t, tar.Header{Typeflag: tar.TypeSymlink, Name: "src/a", Linkname: "/etc/passwd"})
	outside := gzipped(t, regular("../../outside", "x"))
	for name, test := range map[string]struct {
		entries []tar.Header
		want    string
	}{
		"no code":             {[]tar.Header{regular("metadata.json", "{}")}, "unpacking code.tar.gz: the package does not contain it"},
		"invalid code":        {[]tar.Header{regular("code.tar.gz", "x")}, "unpacking code.tar.gz: "},
		"a link":              {[]tar.Header{regular("code.tar.gz", string(link))}, "src/a: neither a file nor a directory"},
		"a path outside":      {[]tar.Header{regular("code.tar.gz", string(outside))}, "../../outside: "},
		"metadata outside":    {[]tar.Header{regular("../outside", "x")}, "../outside: "},
		"the same name again": {[]tar.Header{regular("metadata.json", "{}"), regular("metadata.json", "{}")}, "metadata.json: "},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			_, _, err := content.UnpackPackage(packageFile(t, test.entries...), filepath.Join(dir, "a"))
			assert.ErrorContains(t, err, test.want)
			_, err = os.Stat(filepath.Join(dir, "outside"))
			assert.ErrorIs(t, err, os.ErrNotExist)
		})
	}
}

// A package of some megabytes can hold terabytes of zeros.
func TestUnpackPackageIsLimited(t *testing.T) {
	code := gzipped(t, regular("src/a", "12345"), regular("src/b", strings.Repeat("0", 1<<20)))
	path := packageFile(t, regular("metadata.json", "{}"), regular("code.tar.gz", string(code)))
	for _, test := range []struct {
		limits content.OutputLimits
		want   string
	}{
		{content.OutputLimits{Bytes: 2 << 20, Files: 2}, ""},
		{content.OutputLimits{Bytes: 2 << 20, Files: 1}, "unpacking package.tgz: it holds more than 2 MiB in files, or more than 1 files and directories"},
		{content.OutputLimits{Bytes: 1 << 20, Files: 9}, "unpacking code.tar.gz: it holds more than 1 MiB in files, or more than 9 files and directories"},
	} {
		content.LimitPackages(t, test.limits)
		dir := t.TempDir()
		_, _, err := content.UnpackPackage(path, dir)
		if test.want == "" {
			assert.NoError(t, err)
			continue
		}
		assert.EqualError(t, err, strings.Replace(test.want, "package.tgz", filepath.Base(path), 1))
		assert.NoFileExists(t, filepath.Join(dir, "source", "src", "b"), "it is counted before it is written")
	}
}
