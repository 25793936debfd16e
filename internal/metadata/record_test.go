// SPDX-License-Identifier: Apache-2.0

package metadata_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
)

var record = metadata.Record{
	Type:         "golang",
	Label:        "basic_1.0",
	Path:         "github.com/example/basic",
	Image:        "fabric-chaincode/golang:" + strings.Repeat("0123456789abcdef", 4),
	TLSByInput:   true,
	Entrypoint:   []string{"docker-entrypoint.sh"},
	InstallToken: "0011223344556677",
	Builder:      "v1.0.0",
	Created:      time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC),
}

// firstRecord returns a record as the first version of the program wrote it.
func firstRecord() metadata.Record {
	first := record
	first.User, first.TLSByInput, first.Entrypoint = &metadata.UIDGID{UID: 500, GID: 501}, false, nil
	return first
}

var outputFiles = tree{
	metadata.SourceFile:                           "stands for a gzipped tar\n",
	"META-INF/statedb/couchdb/indexes/owner.json": index,
}

// written creates an OUTPUT_DIR with the files that build writes, at a path as the peer keeps it.
func written(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "builds", "basic_1.0-0123", "bld")
	outputFiles.write(t, dir)
	require.NoError(t, metadata.WriteRecord(dir, record))
	return dir
}

func TestRecordRoundTrip(t *testing.T) {
	dir := written(t)
	got, err := metadata.ReadRecord(dir)
	require.NoError(t, err)
	assert.Equal(t, record, got)

	assert.Equal(t, readTree(t, filepath.Join("testdata", "version-2")), readTree(t, dir), "a different format needs a new version")
}

func TestRecordOfAnImageThatGetsItsTLSFilesInAnArchive(t *testing.T) {
	dir, want := t.TempDir(), firstRecord()
	require.NoError(t, metadata.WriteRecord(dir, want))
	got, err := metadata.ReadRecord(dir)
	require.NoError(t, err)
	assert.Equal(t, want, got)
}

func TestRecordWithCharactersThatJSONEscapes(t *testing.T) {
	dir, want := t.TempDir(), record
	want.Path = "a<b>&c/\u2028é\\\"x"
	require.NoError(t, metadata.WriteRecord(dir, want))
	got, err := metadata.ReadRecord(dir)
	require.NoError(t, err)
	assert.Equal(t, want, got)
}

// Old archives have names in Latin-1.
func TestARecordOfFilesWhoseNamesAreNotUTF8(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"notes-\xe9.txt", `"quoted"`, `"`, `'a'`, "back\\slash", "line\nbreak"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644))
	}
	require.NoError(t, metadata.WriteRecord(dir, metadata.Record{Label: "a"}))
	_, err := metadata.ReadRecord(dir)
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(dir, "notes-\xe9.txt")))
	_, err = metadata.ReadRecord(dir)
	assert.ErrorIs(t, err, metadata.ErrPartial)
}

func TestRecordWrittenTwiceHasNoChecksumOfItself(t *testing.T) {
	dir := written(t)
	require.NoError(t, metadata.WriteRecord(dir, record))
	_, err := metadata.ReadRecord(dir)
	assert.NoError(t, err)
}

// testdata/version-N is what a peer keeps forever: never change it. A new version gets its own directory.
func TestReadRecordOfTheFirstVersion(t *testing.T) {
	got, err := metadata.ReadRecord(filepath.Join("testdata", "version-1"))
	require.NoError(t, err)
	assert.Equal(t, firstRecord(), got)
}

func TestReadRecordOfANewerVersion(t *testing.T) {
	dir := dirWith(t, metadata.RecordFile, `{"version": 3, "form": ["that", "nobody", "knows"]}`)
	_, err := metadata.ReadRecord(dir)
	assert.EqualError(t, err, filepath.Join(dir, metadata.RecordFile)+" has version 3, but this program reads versions up to 2: use a newer program, or delete "+
		dir+" and restart the peer, which then builds the chaincode again")
	assert.NotErrorIs(t, err, metadata.ErrPartial)
}

func TestReadRecordOfAPartialOutput(t *testing.T) {
	indexFile := filepath.FromSlash("META-INF/statedb/couchdb/indexes/owner.json")
	remove := func(name string) func(string) error {
		return func(dir string) error { return os.RemoveAll(filepath.Join(dir, name)) }
	}
	replace := func(name, content string) func(string) error {
		return func(dir string) error { return os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644) }
	}
	tests := map[string]struct {
		damage func(dir string) error
		want   string
	}{
		"nothing was copied":         {os.RemoveAll, "build-record.json: no such file or directory"},
		"the record is missing":      {remove(metadata.RecordFile), "build-record.json: no such file or directory"},
		"the record is empty":        {replace(metadata.RecordFile, ""), "build-record.json: the file is empty"},
		"the record is null":         {replace(metadata.RecordFile, "null"), "build-record.json has no version"},
		"the record is an object":    {replace(metadata.RecordFile, "{}"), "build-record.json has no version"},
		"the record holds no record": {replace(metadata.RecordFile, `{"version":1}`), "build-record.json does not match its own checksum"},
		"a version below the first":  {replace(metadata.RecordFile, `{"version":-1}`), "build-record.json has no version"},
		"the source is missing":      {remove(metadata.SourceFile), "source.tar.gz: no such file or directory"},
		"the source is cut off":      {replace(metadata.SourceFile, "stands for"), "source.tar.gz does not match its checksum in build-record.json"},
		"the source is empty":        {replace(metadata.SourceFile, ""), "source.tar.gz does not match its checksum in build-record.json"},
		"an index is missing":        {remove(indexFile), "META-INF/statedb/couchdb/indexes/owner.json: no such file or directory"},
		"an index was changed":       {replace(indexFile, "{}"), "META-INF/statedb/couchdb/indexes/owner.json does not match its checksum in build-record.json"},
		"META-INF is missing":        {remove("META-INF"), "META-INF/statedb/couchdb/indexes/owner.json: no such file or directory"},
		"only the record is there":   {func(dir string) error { _ = remove("META-INF")(dir); return remove(metadata.SourceFile)(dir) }, "META-INF/statedb/couchdb/indexes/owner.json: no such file or directory"},
		"the source is a directory": {func(dir string) error {
			_ = remove(metadata.SourceFile)(dir)
			return os.Mkdir(filepath.Join(dir, metadata.SourceFile), 0o755)
		}, "source.tar.gz: is a directory"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := written(t)
			require.NoError(t, test.damage(dir))
			_, err := metadata.ReadRecord(dir)
			require.ErrorIs(t, err, metadata.ErrPartial)
			assert.ErrorContains(t, err, "the build output is incomplete: ")
			assert.ErrorContains(t, err, test.want+"; delete "+filepath.Dir(dir)+" and restart the peer")
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestReadTruncatedRecord(t *testing.T) {
	dir := written(t)
	path := filepath.Join(dir, metadata.RecordFile)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for length := range len(whole) - 1 { // the last byte is only a newline
		require.NoError(t, os.WriteFile(path, whole[:length], 0o644))
		_, err := metadata.ReadRecord(dir)
		require.ErrorIs(t, err, metadata.ErrPartial, "the first %d bytes", length)
		require.ErrorContains(t, err, "delete "+filepath.Dir(dir)+" ")
	}
}

// A changed byte is detected, or makes no difference (white space, the case of a key), or makes the version newer.
func TestReadRecordWithOneByteChanged(t *testing.T) {
	dir := written(t)
	path := filepath.Join(dir, metadata.RecordFile)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	found := 0
	for i := range whole {
		for _, change := range []byte{0x01, 0x20, 0x80, 0xff} {
			damaged := append([]byte(nil), whole...)
			damaged[i] ^= change
			require.NoError(t, os.WriteFile(path, damaged, 0o644))
			got, err := metadata.ReadRecord(dir)
			if err == nil {
				require.Equal(t, record, got, "byte %d, %q instead of %q", i, damaged[i], whole[i])
				continue
			}
			require.ErrorContains(t, err, "delete "+filepath.Dir(dir)+" ")
			found++
		}
	}
	assert.Greater(t, found, len(whole)*3, "nearly every change is detected")
}

func TestReadRecordIgnoresAdditionalFiles(t *testing.T) {
	dir := written(t)
	tree{"later/file": "x"}.write(t, dir)
	_, err := metadata.ReadRecord(dir)
	assert.NoError(t, err)
}

func TestWriteRecordToAMissingDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "missing")
	assert.ErrorContains(t, metadata.WriteRecord(dir, record), "computing the checksums of "+dir)
}

func TestRebuildHintNamesTheDirectoryThePeerKeeps(t *testing.T) {
	t.Chdir(t.TempDir())
	here, err := os.Getwd()
	require.NoError(t, err)
	tests := map[string]struct{ outputDir, want string }{
		"as the peer keeps it": {"/var/hyperledger/production/externalbuilder/builds/basic_1.0-0123/bld", "/var/hyperledger/production/externalbuilder/builds/basic_1.0-0123"},
		"a slash at the end":   {"/builds/basic_1.0-0123/bld/", "/builds/basic_1.0-0123"},
		"relative":             {"bld", here},
		"somewhere else":       {"/tmp/output", "/tmp/output"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, "delete "+test.want+" and restart the peer, which then builds the chaincode again", metadata.RebuildHint(test.outputDir))
		})
	}
}

func TestNewInstallToken(t *testing.T) {
	token := metadata.NewInstallToken()
	assert.Regexp(t, "^[0-9a-f]{16}$", token)
	assert.NotEqual(t, token, metadata.NewInstallToken())
}
