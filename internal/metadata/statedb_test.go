// SPDX-License-Identifier: Apache-2.0

package metadata_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
)

const index = `{"index":{"fields":["owner"]},"ddoc":"indexOwnerDoc","name":"indexOwner","type":"json"}`

// https://github.com/hyperledger-labs/fabric-builder-k8s/issues/108
func TestReleaseStateDBCopiesTheWholeTree(t *testing.T) {
	tests := map[string]struct{ output, release tree }{
		"no META-INF":          {tree{"source.tar.gz": "x"}, tree{}},
		"META-INF is empty":    {tree{"META-INF/": ""}, tree{}},
		"statedb is empty":     {tree{"META-INF/statedb/": ""}, tree{}},
		"unknown to the peer":  {tree{"META-INF/MANIFEST.MF": "x"}, tree{}},
		"broken, not an index": {tree{"META-INF/broken.json": "{"}, tree{}},
		"indexes of the channel": {
			tree{"META-INF/statedb/couchdb/indexes/owner.json": index},
			tree{"statedb/couchdb/indexes/owner.json": index},
		},
		"indexes of collections": {
			tree{
				"META-INF/statedb/couchdb/indexes/owner.json":                index,
				"META-INF/statedb/couchdb/collections/a/indexes/owner.json":  index,
				"META-INF/statedb/couchdb/collections/b/indexes/owner2.json": "{}",
			},
			tree{
				"statedb/couchdb/indexes/owner.json":                index,
				"statedb/couchdb/collections/a/indexes/owner.json":  index,
				"statedb/couchdb/collections/b/indexes/owner2.json": "{}",
			},
		},
		"other files are copied unchanged": {
			tree{"META-INF/statedb/couchdb/indexes/README.md": "{", "META-INF/statedb/couchdb/notes.json": "{"},
			tree{"statedb/couchdb/indexes/README.md": "{", "statedb/couchdb/notes.json": "{"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			output, release := t.TempDir(), t.TempDir()
			test.output.write(t, output)
			require.NoError(t, metadata.ReleaseStateDB(output, release))
			assert.Equal(t, test.release, readTree(t, release))
		})
	}
}

func TestReleaseStateDBNamesEveryBrokenIndexAndCopiesNothing(t *testing.T) {
	output, release := t.TempDir(), t.TempDir()
	tree{
		"META-INF/statedb/couchdb/indexes/a-good.json":            index,
		"META-INF/statedb/couchdb/indexes/broken.json":            "{\n\"index\":\n}",
		"META-INF/statedb/couchdb/indexes/empty.json":             "",
		"META-INF/statedb/couchdb/indexes/null.json":              "null",
		"META-INF/statedb/couchdb/indexes/list.json":              "[]",
		"META-INF/statedb/couchdb/collections/c/indexes/cut.json": `{"index":`,
	}.write(t, output)

	err := metadata.ReleaseStateDB(output, release)

	require.Error(t, err)
	assert.Equal(t, []string{
		"reading couchdb/collections/c/indexes/cut.json: parsing JSON: line 1: unexpected end of JSON input",
		"reading couchdb/indexes/broken.json: parsing JSON: line 3: invalid character '}' looking for beginning of value",
		"reading couchdb/indexes/empty.json: the file is empty",
		"reading couchdb/indexes/list.json: parsing JSON: line 1: json: cannot unmarshal array into Go value of type map[string]json.RawMessage",
		"reading couchdb/indexes/null.json: expected a JSON object, not null",
	}, strings.Split(strings.ReplaceAll(err.Error(), filepath.Join(output, "META-INF", "statedb")+"/", ""), "\n"))
	assert.Empty(t, readTree(t, release))
}

// A package with many broken indexes must not flood the peer's log.
func TestOnlySomeBrokenIndexesAreNamed(t *testing.T) {
	source := t.TempDir()
	for i := range 1000 {
		tree{fmt.Sprintf("META-INF/statedb/couchdb/indexes/%d.json", i): "{"}.write(t, source)
	}
	lines := strings.Split(metadata.CheckMetaInf(source).Error(), "\n")
	require.Len(t, lines, 21)
	assert.Equal(t, "980 more indexes cannot be read", lines[20])
}

// A link could point anywhere on the peer's machine, and the peer would reject it in RELEASE_DIR anyway.
func TestReleaseStateDBRejectsALink(t *testing.T) {
	elsewhere := dirWith(t, "secret.json", index)
	links := map[string]struct{ from, to string }{
		"to a file":      {"META-INF/statedb/couchdb/indexes/link.json", filepath.Join(elsewhere, "secret.json")},
		"to nothing":     {"META-INF/statedb/couchdb/link", "nothing"},
		"to a directory": {"META-INF/statedb/couchdb/link", elsewhere},
		"statedb itself": {"META-INF/statedb", elsewhere},
	}
	for name, link := range links {
		t.Run(name, func(t *testing.T) {
			output, release := t.TempDir(), t.TempDir()
			path := filepath.Join(output, link.from)
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
			require.NoError(t, os.Symlink(link.to, path))
			err := metadata.ReleaseStateDB(output, release)
			assert.ErrorContains(t, err, path+" is not a regular file")
			assert.Empty(t, readTree(t, release))
		})
	}
}

func TestCopyMetaInf(t *testing.T) {
	source, output := t.TempDir(), filepath.Join(t.TempDir(), "output")
	require.NoError(t, metadata.CopyMetaInf(source, output), "a package without META-INF is accepted")
	assert.NoDirExists(t, output)

	files := tree{"META-INF/statedb/couchdb/indexes/owner.json": index, "META-INF/statedb/couchdb/indexes/broken.json": "{", "META-INF/x": "y"}
	files.write(t, source)
	tree{"src/main.go": "package main"}.write(t, source)
	require.NoError(t, metadata.CopyMetaInf(source, output))
	assert.Equal(t, files, readTree(t, output), "META-INF is copied unchanged, the source is not")
}

// A missing META-INF is fine, a missing destination is not.
func TestCopyMetaInfToAnInvalidDirectory(t *testing.T) {
	source := t.TempDir()
	tree{"META-INF/x": "y"}.write(t, source)
	output := filepath.Join(t.TempDir(), "missing")
	tree{"missing": "a file, not a directory"}.write(t, filepath.Dir(output))
	assert.ErrorContains(t, metadata.CopyMetaInf(source, output), "copying "+filepath.Join(source, "META-INF"))
}

// Whatever would be rejected at the end of a build is rejected before it begins.
func TestCheckMetaInf(t *testing.T) {
	const good = "META-INF/statedb/couchdb/indexes/a.json"
	for name, test := range map[string]struct {
		files tree
		link  string
		want  string // error; empty for none
	}{
		"none":           {files: tree{"src/main.go": ""}},
		"an index":       {files: tree{good: index}},
		"a regular file": {files: tree{"META-INF": "x"}},
		"something else": {files: tree{"META-INF/MANIFEST.MF": "{"}},
		"a broken index": {files: tree{good: "{"}, want: "a.json: parsing JSON: line 1: unexpected end of JSON input"},
		"a link":         {files: tree{good: index}, link: "META-INF/x", want: "META-INF/x is neither a file nor a directory: a package may contain nothing else"},
	} {
		t.Run(name, func(t *testing.T) {
			source := t.TempDir()
			test.files.write(t, source)
			if test.link != "" {
				require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(source, test.link)))
			}
			err := metadata.CheckMetaInf(source)
			if test.want == "" {
				assert.NoError(t, err)
				assert.NoError(t, metadata.CopyMetaInf(source, filepath.Join(t.TempDir(), "output")))
				return
			}
			assert.ErrorContains(t, err, test.want)
		})
	}
}

// macOS's tar adds a file ._NAME for each file, with 84 bytes of AppleDouble. Fabric's own packager leaves hidden files out, and
// the peer does not read them.
func TestHiddenFilesOfMetaInfAreLeftOut(t *testing.T) {
	const appleDouble = "\x00\x05\x16\x07"
	source, output, release := t.TempDir(), t.TempDir(), t.TempDir()
	tree{
		"META-INF/statedb/couchdb/indexes/owner.json":      index,
		"META-INF/statedb/couchdb/indexes/._owner.json":    appleDouble,
		"META-INF/statedb/couchdb/indexes/.hidden.json":    "{",
		"META-INF/statedb/couchdb/.git/indexes/a.json":     "{",
		"META-INF/statedb/couchdb/.git/indexes/b/c/d.json": "{",
		"META-INF/._statedb":                               appleDouble,
	}.write(t, source)
	require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(source, "META-INF", ".link")))
	require.NoError(t, metadata.CheckMetaInf(source))
	require.NoError(t, metadata.CopyMetaInf(source, output))
	assert.Equal(t, tree{"META-INF/statedb/couchdb/indexes/owner.json": index}, readTree(t, output))

	tree{"META-INF/statedb/couchdb/indexes/._owner.json": appleDouble}.write(t, output) // of an earlier version
	require.NoError(t, metadata.ReleaseStateDB(output, release))
	assert.Equal(t, tree{"statedb/couchdb/indexes/owner.json": index}, readTree(t, release))
}

func TestDirectoriesOfWindowsInMetaInfAreRefused(t *testing.T) {
	source := t.TempDir()
	tree{`META-INF/statedb\couchdb\indexes\owner.json`: index}.write(t, source)
	assert.ErrorContains(t, metadata.CheckMetaInf(source), "reading the package: `META-INF/statedb\\couchdb\\indexes\\owner.json` is a Windows path: names in a package need / ")
}

// Fabric's documentation of external services packs metadata beside connection.json.
func TestCopyServiceStateDB(t *testing.T) {
	const in, out = "metadata/statedb/couchdb/indexes/owner.json", "META-INF/statedb/couchdb/indexes/owner.json"
	for name, test := range map[string]struct {
		files   tree
		want    tree
		ignored bool
		err     string
	}{
		"none":                    {files: tree{"connection.json": "{}"}, want: tree{}},
		"other metadata":          {files: tree{"metadata/x": "y", "metadata/statedb": "y"}, want: tree{}},
		"an index":                {files: tree{in: index, "metadata/x": "y"}, want: tree{out: index}},
		"a hidden file":           {files: tree{in: index, "metadata/statedb/couchdb/indexes/._owner.json": "\x00"}, want: tree{out: index}},
		"beside META-INF":         {files: tree{in: "{", out: index}, want: tree{}, ignored: true},
		"beside another META-INF": {files: tree{in: index, "META-INF/MANIFEST.MF": "x"}, want: tree{out: index}},
		"a broken index":          {files: tree{in: "{"}, want: tree{}, err: "owner.json: parsing JSON: line 1: unexpected end of JSON input"},
		"backslashes":             {files: tree{`metadata/statedb/couchdb\indexes\a.json`: index}, want: tree{}, err: "is a Windows path"},
	} {
		t.Run(name, func(t *testing.T) {
			source, output := t.TempDir(), t.TempDir()
			test.files.write(t, source)
			ignored, err := metadata.CopyServiceStateDB(source, output)
			assert.Equal(t, test.ignored, ignored)
			assert.Equal(t, test.want, readTree(t, output))
			if test.err != "" {
				assert.ErrorContains(t, err, test.err)
				return
			}
			assert.NoError(t, err)
		})
	}
}
