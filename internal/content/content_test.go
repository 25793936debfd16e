// SPDX-License-Identifier: Apache-2.0

package content_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/content"
)

// newSource creates a package as the peer unpacks it.
func newSource(t *testing.T) string {
	t.Helper()
	return write(t, map[string]string{
		"src/go.mod":             "module basic\n",
		"src/main.go":            "package main",
		"src/logs/":              "",
		"src/vendor/modules.txt": "",
		"META-INF/statedb/couchdb/indexes/one.json": "{}",
	})
}

// write creates a directory with the given files. A name that ends in / is an empty directory.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		at := dir + "/" + name // filepath.Join would remove a trailing slash
		require.NoError(t, os.MkdirAll(at[:strings.LastIndex(at, "/")], 0o700))
		if !strings.HasSuffix(name, "/") {
			require.NoError(t, os.WriteFile(at, []byte(text), 0o644))
		}
	}
	return dir
}

func open(t *testing.T, dir string) *content.Package {
	t.Helper()
	pkg, err := content.Open(dir)
	require.NoError(t, err)
	t.Cleanup(func() { pkg.Close() })
	return pkg
}

func save(t *testing.T, dir, outputDir string) {
	t.Helper()
	require.NoError(t, open(t, dir).Save(outputDir))
}

func paths(pkg *content.Package) []string {
	var all []string
	for _, f := range pkg.Files {
		name := f.Path
		if f.Dir {
			name += "/"
		}
		all = append(all, name)
	}
	return all
}

func TestOpenReadsAPackage(t *testing.T) {
	dir := newSource(t)
	require.NoError(t, os.Chmod(filepath.Join(dir, "src/go.mod"), 0o744))
	pkg := open(t, dir)
	assert.Equal(t, []string{"src/", "src/go.mod", "src/logs/", "src/main.go", "src/vendor/", "src/vendor/modules.txt"}, paths(pkg))
	assert.True(t, pkg.Files[1].Executable)
	assert.Equal(t, int64(13), pkg.Files[1].Size)
	assert.Equal(t, []string{"go.mod", "logs/", "main.go", "vendor/", "vendor/modules.txt"}, paths(pkg.Sub("src")))
	assert.Equal(t, []string{"modules.txt"}, paths(pkg.Sub("src").Sub("vendor")))
	assert.Equal(t, paths(pkg), paths(pkg.Sub(".")))
}

func TestOpenRejectsALink(t *testing.T) {
	dir := newSource(t)
	require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(dir, "src/a")))
	_, err := content.Open(dir)
	assert.EqualError(t, err, "reading the package: src/a is neither a file nor a directory: a package may contain nothing else")
}

// A regular file named META-INF is a file like any other, and does not end the walk.
func TestAFileCalledMetaInfHidesNothing(t *testing.T) {
	pkg, err := content.Read(fstest.MapFS{"META-INF": {}, "src/main.go": {}, "src/META-INF/a": {}, "a": {}})
	require.NoError(t, err)
	assert.Equal(t, []string{"META-INF", "a", "src/", "src/META-INF/", "src/META-INF/a", "src/main.go"}, paths(pkg))
}

func TestWithout(t *testing.T) {
	pkg, err := content.Read(fstest.MapFS{
		".git": {}, "src/.git/config": {}, "src/x/.hg/a": {}, "src/a.h.gch": {}, "src/b.h.gch/c++": {}, "src/.gitignore": {}, "src/git/a": {},
	})
	require.NoError(t, err)
	assert.Equal(t, []string{"src/", "src/.gitignore", "src/git/", "src/git/a", "src/x/"}, paths(pkg.Without(".git", ".hg", "*.gch")))
	assert.Equal(t, []string{".git", "src/", "src/.gitignore", "src/git/", "src/git/a", "src/x/"}, paths(pkg.Without("/src/*.gch", "/src/.git", "/git", "/src/x/.hg")))
	assert.Equal(t, paths(pkg), paths(pkg.Without()))
}

// The peer unpacks a tar without checking that names are valid UTF-8.
func TestNamesThatAreNotUTF8(t *testing.T) {
	digest := func(names ...string) (string, []string) {
		files := map[string]string{}
		for _, name := range names {
			files[name] = "x"
		}
		dir, again := write(t, files), t.TempDir()
		output := t.TempDir()
		save(t, dir, output)
		require.NoError(t, content.RestoreSource(output, again))
		d := content.NewDigest()
		pkg := open(t, again)
		d.AddFiles("files", pkg.Files)
		return d.Sum(), paths(pkg)
	}
	one, names := digest("src/a\xff/b\xfe")
	assert.Equal(t, []string{"src/", "src/a\xff/", "src/a\xff/b\xfe"}, names)
	for _, other := range []string{"src/a\xfe/b\xfe", "src/a\xff/b\xff", "src/a�/b�"} {
		two, _ := digest(other)
		assert.NotEqual(t, one, two, "%q", other)
	}
}

func TestDigestsOfDifferentValuesDiffer(t *testing.T) {
	lists := [][]string{nil, {""}, {"", ""}, {"a"}, {"a", ""}, {"", "a"}, {"ab"}, {"a", "b"}, {"1:a"}, {"a1:b"}}
	seen := map[string][]string{}
	for _, list := range lists {
		d := content.NewDigest()
		d.Add("name", list...)
		assert.NotContains(t, seen, d.Sum(), "%q and %q", list, seen[d.Sum()])
		seen[d.Sum()] = list
	}
	one, two := content.NewDigest(), content.NewDigest()
	one.Add("a", "b")
	two.Add("b", "a")
	assert.NotEqual(t, one.Sum(), two.Sum())
	assert.Regexp(t, "^[0-9a-f]{64}$", one.Sum())
}

func TestDigestOfFiles(t *testing.T) {
	base := fstest.MapFS{"src/a": {Data: []byte("a"), Mode: 0o644}, "src/b": {Data: []byte("b"), Mode: 0o644}, "src/empty": {Mode: fs.ModeDir}}
	digest := func(change func(fstest.MapFS)) string {
		files := fstest.MapFS{}
		for name, file := range base {
			copied := *file
			files[name] = &copied
		}
		change(files)
		pkg, err := content.Read(files)
		require.NoError(t, err)
		d := content.NewDigest()
		d.AddFiles("files", pkg.Files)
		return d.Sum()
	}
	same := digest(func(fstest.MapFS) {})
	for name, change := range map[string]func(fstest.MapFS){
		"bytes":                  func(f fstest.MapFS) { f["src/a"].Data = []byte("x") },
		"a name":                 func(f fstest.MapFS) { f["src/c"] = f["src/a"]; delete(f, "src/a") },
		"two files swapped":      func(f fstest.MapFS) { f["src/a"], f["src/b"] = f["src/b"], f["src/a"] },
		"executable":             func(f fstest.MapFS) { f["src/a"].Mode = 0o755 },
		"an empty directory":     func(f fstest.MapFS) { f["src/more"] = &fstest.MapFile{Mode: fs.ModeDir} },
		"a missing directory":    func(f fstest.MapFS) { delete(f, "src/empty") },
		"a file for a directory": func(f fstest.MapFS) { f["src/empty"] = &fstest.MapFile{Mode: 0o644} },
	} {
		assert.NotEqual(t, same, digest(change), name)
	}
	for name, change := range map[string]func(fstest.MapFS){
		"other mode bits": func(f fstest.MapFS) { f["src/a"].Mode = 0o600 },
		"META-INF":        func(f fstest.MapFS) { f["META-INF/a"] = &fstest.MapFile{} },
	} {
		assert.Equal(t, same, digest(change), name)
	}
}

func TestWriteTar(t *testing.T) {
	pkg, err := content.Read(fstest.MapFS{
		"src/gradlew": {Mode: 0o644}, "src/main": {Data: []byte("x"), Mode: 0o700}, "src/logs": {Mode: fs.ModeDir},
	})
	require.NoError(t, err)
	var archive bytes.Buffer
	require.NoError(t, pkg.WriteTar(&archive, content.Layout{Dir: "/in", Writable: []string{"/out"}, Executables: []string{"/in/src/gradlew"}}))
	assert.Equal(t, []string{"out/ 777", "in/ 755", "in/src/ 755", "in/src/logs/ 755", "in/src/gradlew 755", "in/src/main 755"}, entries(t, &archive))
	require.NoError(t, pkg.Sub("src").WriteTar(&archive, content.Layout{Dir: "/"}))
	assert.Equal(t, []string{"logs/ 755", "gradlew 644", "main 755"}, entries(t, &archive))

	later := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	require.NoError(t, pkg.WriteTar(&archive, content.Layout{Dir: "/", ModTime: later}))
	for r := tar.NewReader(&archive); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if header.Typeflag == tar.TypeReg {
			assert.Equal(t, later, header.ModTime.UTC(), header.Name)
		}
	}
}

// entries returns the name and mode of every entry of a tar, and checks that owners and times are zero.
func entries(t *testing.T, archive io.Reader) []string {
	t.Helper()
	var all []string
	for r := tar.NewReader(archive); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		all = append(all, header.Name+" "+octal(header.Mode))
		assert.Zero(t, header.Uid+header.Gid)
		assert.Zero(t, header.ModTime.Unix())
	}
}

func octal(mode int64) string {
	digits := []byte{byte('0' + mode>>6&7), byte('0' + mode>>3&7), byte('0' + mode&7)}
	return string(digits)
}

// The peer unpacks a path of Windows as one file.
func TestPackagesOfWindowsAreRefused(t *testing.T) {
	for name, other := range map[string]string{
		`src\main.go`:             `src\z.go`,
		`META-INF\statedb\a.json`: `src\main.go`,
		`lib\index.js`:            "package.json",
		`src/lib\index.js`:        "src/package.json",
		`C:\cc\src\main.go`:       `D:\x`,
		`\\server\cc\src\main.go`: `src`,
		"C:/cc/src/main.go":       "x",
	} {
		err := open(t, write(t, map[string]string{name: "", other: "{}"})).CheckNames()
		if drive, _, ok := strings.Cut(name, "/cc"); ok {
			name = drive // the first name of all
		}
		assert.ErrorContains(t, err, "reading the package: `"+name+"` is a Windows path: names in a package need / between directories "+
			"and no drive letter; make the package again with a tool that writes /")
	}
	for _, files := range []map[string]string{
		{"src/main.go": "", "src/a:b": "", "src/C:/x": ""},
		{"src/package.json": "{}", `src/node_modules/glob/test/a\b.js`: ""}, // tests of npm packages have such names
	} {
		assert.NoError(t, open(t, write(t, files)).CheckNames())
	}
}

// A FIFO that takes the place of a file after the package was read does not hold build up.
func TestAFIFOInAPackageIsNotRead(t *testing.T) {
	dir := write(t, map[string]string{"src/a": "x"})
	pkg := open(t, dir)
	require.NoError(t, os.Remove(filepath.Join(dir, "src/a")))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "src/a"), 0o600))
	_, err := content.Open(dir)
	assert.EqualError(t, err, "reading the package: src/a is neither a file nor a directory: a package may contain nothing else")
	assert.Error(t, pkg.WriteTar(io.Discard, content.Layout{Dir: "/"}))

	output := t.TempDir()
	require.NoError(t, syscall.Mkfifo(filepath.Join(output, "source.tar.gz"), 0o600))
	assert.ErrorContains(t, content.RestoreSource(output, t.TempDir()), "source.tar.gz: it is a FIFO, not a regular file")
	assert.ErrorContains(t, pkg.Save(output), "source.tar.gz: it is a FIFO, not a regular file")
	_, _, err = content.UnpackPackage(filepath.Join(output, "source.tar.gz"), t.TempDir())
	assert.ErrorContains(t, err, "source.tar.gz: it is a FIFO, not a regular file")
}
