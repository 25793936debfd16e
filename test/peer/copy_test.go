// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCopyKeepsModesAndRelativeLinks(t *testing.T) {
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	require.NoError(t, os.MkdirAll(filepath.Join(from, "d", "e"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(from, "d", "secret"), []byte("s"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(from, "tool"), []byte("t"), 0o755))
	require.NoError(t, os.Symlink("../secret", filepath.Join(from, "d", "e", "inside")))
	require.NoError(t, os.Symlink("nowhere", filepath.Join(from, "dangling")))
	require.NoError(t, os.Symlink("..dots", filepath.Join(from, "dots")))
	require.NoError(t, os.Chtimes(filepath.Join(from, "tool"), time.Unix(0, 0), time.Unix(0, 0)))

	require.NoError(t, copyDir(from, to))

	for name, want := range map[string]fs.FileMode{
		"d": fs.ModeDir | 0o755, "d/secret": 0o600, "tool": 0o755,
	} {
		info, err := os.Lstat(filepath.Join(to, name))
		require.NoError(t, err)
		assert.Equal(t, want, info.Mode(), name)
	}
	for name, want := range map[string]string{"d/e/inside": "../secret", "dangling": "nowhere", "dots": "..dots"} {
		got, err := os.Readlink(filepath.Join(to, name))
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
	info, err := os.Stat(filepath.Join(to, "tool"))
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now(), info.ModTime(), time.Minute, "times are lost")
}

func TestCopyRefuses(t *testing.T) {
	tests := map[string]struct {
		add  func(dir string) error
		want string
	}{
		"an absolute link":  {func(dir string) error { return os.Symlink("/etc", dir+"/x") }, "refusing to copy absolute symlink"},
		"an escaping link":  {func(dir string) error { return os.Symlink("d/../../x", dir+"/x") }, "pointing outside of source root"},
		"the parent itself": {func(dir string) error { return os.Symlink("..", dir+"/x") }, "pointing outside of source root"},
		"a fifo":            {func(dir string) error { return syscall.Mkfifo(dir+"/x", 0o600) }, "refusing to copy unsupported file"},
		"a socket":          {socket, "refusing to copy unsupported file"},
		"a missing file":    {os.Remove, "no such file"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			from, to := filepath.Join(root, "from"), filepath.Join(root, "to")
			require.NoError(t, os.Mkdir(from, 0o700))
			require.NoError(t, test.add(from))
			assert.ErrorContains(t, copyDir(from, to), test.want)
			assert.NoDirExists(t, to)
		})
	}
}

// socket creates a socket that nothing listens on.
func socket(dir string) error {
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: dir + "/x"})
	if err != nil {
		return err
	}
	listener.SetUnlinkOnClose(false)
	return listener.Close()
}
