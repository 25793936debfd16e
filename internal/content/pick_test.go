// SPDX-License-Identifier: Apache-2.0

package content_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/content"
)

// store returns an archive of /root/.m2/repository as an engine gives it.
func store(t *testing.T) io.Reader {
	t.Helper()
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, header := range []tar.Header{
		{Typeflag: tar.TypeDir, Name: "repository/", Mode: 0o755, Uid: 1},
		{Typeflag: tar.TypeDir, Name: "repository/org/", Mode: 0o2750, Uid: 2},
		{Typeflag: tar.TypeDir, Name: "repository/org/a/", Mode: 0o700},
		{Typeflag: tar.TypeReg, Name: "repository/org/a/a.jar", Mode: 0o4755, Uid: 3, Gid: 4, Size: 2, ModTime: time.Now()},
		{Typeflag: tar.TypeReg, Name: "repository/org/a/image.jar", Mode: 0o644, Size: 2},
		{Typeflag: tar.TypeDir, Name: "repository/org/b/", Mode: 0o700},
		{Typeflag: tar.TypeReg, Name: "repository/org/b/image.jar", Mode: 0o644, Size: 2},
		{Typeflag: tar.TypeSymlink, Name: "repository/org/link.jar", Linkname: "/etc/passwd"},
		{Typeflag: tar.TypeLink, Name: "repository/org/hard.jar", Linkname: "repository/org/a/image.jar"},
		{Typeflag: tar.TypeReg, Name: "repository/../../../etc/evil", Mode: 0o644, Size: 2},
		{Typeflag: tar.TypeReg, Name: "repository/z.jar", Mode: 0o600, Size: 2},
	} {
		require.NoError(t, w.WriteHeader(&header))
		if header.Size > 0 {
			_, err := w.Write([]byte("ab"))
			require.NoError(t, err)
		}
	}
	require.NoError(t, w.Close())
	return &archive
}

// notOfTheImage keeps all files but those that the image has.
func notOfTheImage(name string) bool { return !strings.HasSuffix(name, "/image.jar") }

func TestPickerTakesFilesWithTheirDirectories(t *testing.T) {
	var layer bytes.Buffer
	picker, err := content.NewPicker(&layer, []content.Directory{{Path: "/root", Mode: 0o700}, {Path: "/root/.m2", Mode: 0o755, UID: 5, GID: 6}}, content.OutputLimits{})
	require.NoError(t, err)
	require.NoError(t, picker.Pick(store(t), "/root/.m2/repository", notOfTheImage))
	require.NoError(t, picker.Close())
	type entry struct {
		name     string
		mode     int64
		uid, gid int
	}
	var got []entry
	for archive := tar.NewReader(&layer); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		got = append(got, entry{header.Name, header.Mode, header.Uid, header.Gid})
		assert.Zero(t, header.ModTime.Unix(), header.Name)
		if header.Typeflag == tar.TypeReg {
			text, err := io.ReadAll(archive)
			require.NoError(t, err)
			assert.Equal(t, "ab", string(text))
		}
	}
	assert.Equal(t, []entry{
		{"root/", 0o700, 0, 0},
		{"root/.m2/", 0o755, 5, 6},
		{"root/.m2/repository/", 0o755, 1, 0},
		{"root/.m2/repository/org/", 0o750, 2, 0},
		{"root/.m2/repository/org/a/", 0o700, 0, 0},
		{"root/.m2/repository/org/a/a.jar", 0o755, 3, 4},
		{"root/.m2/repository/etc/evil", 0o644, 0, 0}, // a name that leads out does not
		{"root/.m2/repository/z.jar", 0o600, 0, 0},
	}, got)
}

func TestPickerCountsWhatItTakes(t *testing.T) {
	for _, limits := range []content.OutputLimits{{Files: 2}, {Bytes: 5}} {
		picker, err := content.NewPicker(io.Discard, nil, limits)
		require.NoError(t, err)
		err = picker.Pick(store(t), "/root/.m2/repository", notOfTheImage)
		var limit content.OutputLimitError
		assert.ErrorAs(t, err, &limit)
	}
	picker, err := content.NewPicker(io.Discard, nil, content.OutputLimits{Files: 3, Bytes: 6})
	require.NoError(t, err)
	assert.NoError(t, picker.Pick(store(t), "/root/.m2/repository", notOfTheImage), "what it leaves there does not count")
}

func TestAPackageWithAnotherFile(t *testing.T) {
	read := func(files fstest.MapFS) *content.Package {
		pkg, err := content.Read(files)
		require.NoError(t, err)
		return pkg
	}
	pkg := read(fstest.MapFS{"a/x": {Data: []byte("x")}, "a-b": {}, "z": {}})
	digest := func(pkg *content.Package) string {
		d := content.NewDigest()
		d.AddFiles("files", pkg.Files)
		return d.Sum()
	}
	with := pkg.With("a/new", "text").With("z", "other")
	assert.Len(t, pkg.Files, 4, "the package itself stays as it is")
	assert.Equal(t, digest(read(fstest.MapFS{"a/x": {Data: []byte("x")}, "a/new": {Data: []byte("text")}, "a-b": {}, "z": {Data: []byte("other")}})), digest(with))
	var archive bytes.Buffer
	require.NoError(t, with.WriteTar(&archive, content.Layout{Dir: "/in"}))
	texts := map[string]string{}
	for in := tar.NewReader(&archive); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		text, err := io.ReadAll(in)
		require.NoError(t, err)
		texts[header.Name] = string(text)
	}
	assert.Equal(t, "text", texts["in/a/new"])
	assert.Equal(t, "other", texts["in/z"])
}
