package metadata_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
)

// A file of zeros makes a small package, and build runs in the memory of the peer's container.
func TestHugeFilesAreNotRead(t *testing.T) {
	dir := t.TempDir()
	huge := func(name string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, nil, 0o644))
		require.NoError(t, os.Truncate(path, 1<<40))
		return path
	}
	const want = "the file is larger than 16 MiB"
	path := huge("metadata.json")
	_, err := metadata.ReadPackage(dir)
	assert.EqualError(t, err, "reading "+path+": "+want)

	path = huge("connection.json")
	_, err = metadata.ReadConnection(dir)
	assert.EqualError(t, err, "reading "+path+": "+want)

	path = huge("chaincode.json")
	_, err = metadata.ReadChaincode(dir)
	assert.EqualError(t, err, "reading "+path+": "+want)

	path = huge("META-INF/statedb/couchdb/indexes/owner.json")
	assert.EqualError(t, metadata.CheckMetaInf(dir), "reading "+path+": "+want)

	huge("image.json")
	_, err = metadata.ReadImage(os.DirFS(dir))
	assert.EqualError(t, err, "reading image.json: "+want)
}

func TestTheLargestFileIsRead(t *testing.T) {
	text := strings.Repeat("x", metadata.MaxFile)
	data, err := metadata.ReadFile(fstest.MapFS{"a": {Data: []byte(text)}}, "a")
	require.NoError(t, err)
	assert.Len(t, data, metadata.MaxFile)
}

// The record lists the files of META-INF, however many there are.
func TestALargeRecordIsRead(t *testing.T) {
	dir := t.TempDir()
	record := metadata.Record{Type: "golang", Label: "basic_1.0"}
	require.NoError(t, metadata.WriteRecord(dir, record))
	file, err := os.OpenFile(filepath.Join(dir, metadata.RecordFile), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = file.WriteString(strings.Repeat(" ", metadata.MaxFile))
	require.NoError(t, err)
	require.NoError(t, file.Close())
	read, err := metadata.ReadRecord(dir)
	require.NoError(t, err)
	assert.Equal(t, record, read)
}
