// SPDX-License-Identifier: Apache-2.0

package regular_test

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/regular"
)

const limit = 1 << 20

// special returns paths of files that are not regular, by the word for their kind.
func special(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	fifo, socket, link := filepath.Join(dir, "fifo"), filepath.Join(dir, "socket"), filepath.Join(dir, "link")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	require.NoError(t, os.Symlink(fifo, link))
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	return map[string]string{"FIFO": fifo, "a link to a FIFO": link, "socket": socket, "device": "/dev/zero"}
}

// Nobody writes to the FIFO, so opening it as a file would wait for ever, and a read of /dev/zero would never end.
func TestOnlyRegularFilesAreOpened(t *testing.T) {
	for kind, path := range special(t) {
		t.Run(kind, func(t *testing.T) {
			if kind == "a link to a FIFO" {
				kind = "FIFO"
			}
			want := "open " + path + ": it is a " + kind + ", not a regular file"
			_, err := regular.Open(path)
			assert.EqualError(t, err, want)
			_, err = regular.Create(path, 0o600)
			assert.EqualError(t, err, want)
			_, err = regular.ReadFile(path, limit)
			assert.EqualError(t, err, want)
			assert.EqualError(t, regular.WriteFile(path, []byte("x"), 0o600), want)
		})
	}
}

func TestADirectoryIsNotOpened(t *testing.T) {
	_, err := regular.Open(t.TempDir())
	assert.ErrorIs(t, err, syscall.EISDIR)
}

func TestAFileIsReadAndWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	_, err := regular.ReadFile(path, limit)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, regular.WriteFile(path, []byte("a longer text"), 0o600))
	require.NoError(t, regular.WriteFile(path, []byte("text"), 0o644))
	data, err := regular.ReadFile(path, limit)
	require.NoError(t, err)
	assert.Equal(t, "text", string(data))
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode(), "of the first time")
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(path, link))
	data, err = regular.ReadFile(link, limit)
	require.NoError(t, err, "settings are often links to files")
	assert.Equal(t, "text", string(data))
}

// Operators mount /dev/null over a settings file to hide it.
func TestTheNullDeviceIsAnEmptyFile(t *testing.T) {
	data, err := regular.ReadFile(os.DevNull, limit)
	require.NoError(t, err)
	assert.Empty(t, data)
}

func TestAHugeFileIsNotRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.Truncate(path, limit))
	data, err := regular.ReadFile(path, limit)
	require.NoError(t, err)
	assert.Len(t, data, limit)
	require.NoError(t, os.Truncate(path, 1<<40))
	_, err = regular.ReadFile(path, limit)
	assert.EqualError(t, err, "the file is larger than 1 MiB")
}
