// SPDX-License-Identifier: Apache-2.0

package metadata_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
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

// The record lists the files of META-INF, so it may be larger than other files.
func TestALargeRecordIsRead(t *testing.T) {
	dir := t.TempDir()
	record := metadata.Record{Type: "golang", Label: "basic_1.0"}
	require.NoError(t, metadata.WriteRecord(dir, record))
	path := filepath.Join(dir, metadata.RecordFile)
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = file.WriteString(strings.Repeat(" ", metadata.MaxFile))
	require.NoError(t, err)
	require.NoError(t, file.Close())
	read, err := metadata.ReadRecord(dir)
	require.NoError(t, err)
	assert.Equal(t, record, read)

	require.NoError(t, os.Truncate(path, 1<<40))
	_, err = metadata.ReadRecord(dir)
	require.ErrorIs(t, err, metadata.ErrPartial)
	assert.ErrorContains(t, err, "build-record.json: the file is larger than 64 MiB; delete "+dir)
}

// Nobody writes to the FIFOs, so reading one would wait for ever.
func TestAFIFOIsNotRead(t *testing.T) {
	dir := t.TempDir()
	fifo := func(name string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.RemoveAll(path))
		require.NoError(t, syscall.Mkfifo(path, 0o600))
		return path
	}
	const want = "it is a FIFO, not a regular file"
	path := fifo("metadata.json")
	_, err := metadata.ReadPackage(dir)
	assert.EqualError(t, err, "reading "+path+": "+want)

	path = fifo("connection.json")
	_, err = metadata.ReadConnection(dir)
	assert.EqualError(t, err, "reading "+path+": "+want)
	assert.EqualError(t, metadata.Connection{}.Write(dir), "writing "+path+": "+want)

	path = fifo("chaincode.json")
	_, err = metadata.ReadChaincode(dir)
	assert.EqualError(t, err, "reading "+path+": "+want)

	fifo("image.json")
	_, err = metadata.ReadImage(os.DirFS(dir))
	assert.EqualError(t, err, "reading image.json: "+want)

	path = fifo("META-INF/statedb/couchdb/indexes/owner.json")
	assert.ErrorContains(t, metadata.CheckMetaInf(dir), path+" is neither a file nor a directory")
	assert.ErrorContains(t, metadata.ReleaseStateDB(dir, t.TempDir()), path+": "+want)
	output := t.TempDir()
	assert.ErrorContains(t, metadata.CopyMetaInf(dir, output), path+" is not a regular file")
	require.NoError(t, os.RemoveAll(path))
	tree{"META-INF/statedb/couchdb/indexes/owner.json": index}.write(t, dir)
	require.NoError(t, syscall.Mkfifo(filepath.Join(output, "META-INF/statedb/couchdb/indexes/owner.json"), 0o600))
	assert.ErrorContains(t, metadata.CopyMetaInf(dir, output), want)

	dir = written(t)
	path = fifo(metadata.SourceFile)
	_, err = metadata.ReadRecord(dir)
	require.ErrorIs(t, err, metadata.ErrPartial)
	assert.ErrorContains(t, err, "source.tar.gz: "+want)
	assert.ErrorContains(t, metadata.WriteRecord(dir, record), path+": "+want)
	dir = written(t)
	path = fifo(metadata.RecordFile)
	_, err = metadata.ReadRecord(dir)
	require.ErrorIs(t, err, metadata.ErrPartial)
	assert.ErrorContains(t, err, path+": "+want)
	assert.ErrorContains(t, metadata.WriteRecord(dir, record), path+": "+want)
}
