// SPDX-License-Identifier: Apache-2.0

package content_test

import (
	"archive/tar"
	"compress/gzip"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/metadata"
)

func TestSaveAndRestoreSource(t *testing.T) {
	source, output, again := newSource(t), t.TempDir(), t.TempDir()
	require.NoError(t, os.Chmod(filepath.Join(source, "src/main.go"), 0o755))
	save(t, source, output)
	info, err := os.Stat(filepath.Join(output, metadata.SourceFile))
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode(), "only its owner can read it")

	require.NoError(t, content.RestoreSource(output, again))
	for _, name := range []string{"src/go.mod", "src/main.go", "src/vendor/modules.txt"} {
		want, err := os.ReadFile(filepath.Join(source, name))
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join(again, name))
		require.NoError(t, err)
		assert.Equal(t, string(want), string(got), name)
	}
	info, err = os.Stat(filepath.Join(again, "src/main.go"))
	require.NoError(t, err)
	assert.NotZero(t, info.Mode()&0o100, "it is still executable")
	assert.NoDirExists(t, filepath.Join(again, "META-INF"), "META-INF is not part of it")
}

func TestSaveIsReproducible(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	save(t, newSource(t), one)
	save(t, newSource(t), two)
	a, err := os.ReadFile(filepath.Join(one, metadata.SourceFile))
	require.NoError(t, err)
	b, err := os.ReadFile(filepath.Join(two, metadata.SourceFile))
	require.NoError(t, err)
	assert.Equal(t, a, b)
}

func TestRestoreSourceThatWasNotSaved(t *testing.T) {
	assert.ErrorContains(t, content.RestoreSource(t.TempDir(), t.TempDir()), "builder.saveSource")
}

func TestRestoreSourceRejectsPathsOutside(t *testing.T) {
	for _, name := range []string{"../out", "/out", "a/../../out"} {
		output, dir := t.TempDir(), filepath.Join(t.TempDir(), "inside")
		require.NoError(t, os.Mkdir(dir, 0o700))
		file, err := os.Create(filepath.Join(output, metadata.SourceFile))
		require.NoError(t, err)
		compressed := gzip.NewWriter(file)
		archive := tar.NewWriter(compressed)
		require.NoError(t, archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644}))
		require.NoError(t, archive.Close())
		require.NoError(t, compressed.Close())
		require.NoError(t, file.Close())
		assert.Error(t, content.RestoreSource(output, dir), name)
		assert.NoFileExists(t, filepath.Join(filepath.Dir(dir), "out"))
	}
}
