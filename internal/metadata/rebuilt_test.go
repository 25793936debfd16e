// SPDX-License-Identifier: Apache-2.0

package metadata

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestARebuiltImageTakesTheRecordsPlace(t *testing.T) {
	dir := t.TempDir()
	record := Record{Type: "golang", Label: "basic_1.0", Image: "fabric-chaincode/golang:old", InstallToken: "t1", FabricVersion: "2.5.9"}
	require.NoError(t, WriteRecord(dir, record))
	assert.Equal(t, record, WithRebuilt(dir, record), "nothing is noted")

	rebuilt := record
	rebuilt.Image, rebuilt.ImageID, rebuilt.User = "fabric-chaincode/golang:new", "sha256:new", &UIDGID{UID: 7, GID: 8}
	rebuilt.TLSByInput, rebuilt.Entrypoint = true, []string{"/tini"}
	for range 2 { // it is replaced
		require.NoError(t, WriteRebuilt(dir, rebuilt))
		assert.Equal(t, rebuilt, WithRebuilt(dir, record))
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 2, "no temporary file is left")
	kept, err := ReadRecord(dir)
	require.NoError(t, err)
	assert.Equal(t, record, kept, "the record does not change")

	other := record
	other.InstallToken = "t2"
	assert.Equal(t, other, WithRebuilt(dir, other), "noted for another install")

	file := filepath.Join(dir, RebuiltFile)
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, data[:len(data)/2], 0o644))
	assert.Equal(t, record, WithRebuilt(dir, record), "cut off")

	require.NoError(t, os.WriteFile(file, data, 0o644))
	require.NoError(t, MakeOutputDir(dir))
	assert.NoFileExists(t, file, "the next build begins anew")
}

func TestARebuiltImageThatCannotBeNoted(t *testing.T) {
	assert.ErrorContains(t, WriteRebuilt(filepath.Join(t.TempDir(), "none"), Record{}), "writing rebuilt-image.json: no such file or directory")
}
