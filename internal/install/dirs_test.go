// SPDX-License-Identifier: Apache-2.0

package install

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const golangPackage = `{"type":"golang","label":"basic_1.0"}`

func TestAMissingSourceDirectoryIsReportedFirst(t *testing.T) {
	d := newDirs(t, "") // the metadata is invalid as well
	require.NoError(t, os.Remove(d.source))
	status, stderr := d.run(t, noEngine)
	assert.Equal(t, 1, status)
	assert.Equal(t, "[ERROR] build: source directory "+d.source+" does not exist\n", stderr)
}

func TestTheOutputDirectoryIsMadeBeforeTheEngineIsContacted(t *testing.T) {
	d := newDirs(t, golangPackage, "src/go.mod")
	d.output = filepath.Join(d.output, "a", "b")
	status, stderr := d.run(t, noEngine)
	assert.Equal(t, 1, status)
	assert.Contains(t, stderr, "no container engine answers")
	entries, err := os.ReadDir(d.output)
	require.NoError(t, err)
	assert.Empty(t, entries)
}

// A person may call build again with the same directories.
func TestNothingOfAnEarlierBuildStaysInTheOutputDirectory(t *testing.T) {
	d := serviceDirs(t, `{"address":"old.example.com:9999"}`)
	write(t, filepath.Join(d.output, "source.tar.gz"), "of an image")
	write(t, filepath.Join(d.output, "mine.txt"), "x")
	status, stderr := d.run(t, noEngine)
	require.Zero(t, status, stderr)

	require.NoError(t, os.RemoveAll(filepath.Join(d.source, "META-INF")))
	status, stderr = d.run(t, noEngine)
	require.Zero(t, status, stderr)
	assert.NoDirExists(t, filepath.Join(d.output, "META-INF"))
	assert.NoFileExists(t, filepath.Join(d.output, "source.tar.gz"))
	assert.FileExists(t, filepath.Join(d.output, "mine.txt"))

	write(t, filepath.Join(d.metadata, "metadata.json"), golangPackage)
	write(t, filepath.Join(d.source, "src/go.mod"), "module x")
	status, _ = d.run(t, noEngine)
	assert.Equal(t, 1, status)
	for _, name := range []string{"connection.json", "build-record.json"} { // release refuses this directory
		assert.NoFileExists(t, filepath.Join(d.output, name))
	}
}

func TestTheOutputDirectoryIsNotTheSourceDirectory(t *testing.T) {
	d := serviceDirs(t, `{"address":"cc.example.com:9999"}`)
	require.NoError(t, os.Remove(d.output))
	require.NoError(t, os.Symlink(d.source, d.output))
	status, stderr := d.run(t, noEngine)
	assert.Equal(t, 1, status)
	assert.Equal(t, "[ERROR] build: output directory "+d.output+" is the source directory: expected another one: label=basic_1.0\n", stderr)
	assert.FileExists(t, filepath.Join(d.source, "connection.json"))
	assert.DirExists(t, filepath.Join(d.source, "META-INF"))
}

func TestAnUnusableOutputDirectoryIsReportedBeforeTheEngineIsContacted(t *testing.T) {
	d := newDirs(t, golangPackage, "src/go.mod")
	d.output = filepath.Join(t.TempDir(), "file")
	write(t, d.output, "x")
	status, stderr := d.run(t, noEngine)
	assert.Equal(t, 1, status)
	assert.Equal(t, "[ERROR] build: creating the output directory "+d.output+": not a directory: label=basic_1.0\n", stderr)

	d.output = "/proc/self" // not writable, even for root
	status, stderr = d.run(t, noEngine)
	assert.Equal(t, 1, status)
	assert.Contains(t, stderr, "[ERROR] build: writing to the output directory /proc/self: ")
}

func TestWarningsAboutSettings(t *testing.T) {
	d := newDirs(t, golangPackage, "src/go.mod")
	_, stderr := d.run(t, noEngine, "CORE_CHAINCODE_LOGGING_LEVEL=loud")
	assert.Contains(t, stderr, "[WARN]  build: problem with settings: label=basic_1.0 reason=\"chaincode.logging.level: ")
	assert.NotContains(t, stderr, "has no effect")
}
