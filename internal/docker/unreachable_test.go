// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Tests may run as root, who can open any socket, so this calls socketReason directly.
func TestPermissionDeniedNamesTheSocketsGroup(t *testing.T) {
	dir, err := os.MkdirTemp("/tmp", "engine")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "engine.sock")
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	defer listener.Close()

	require.NoError(t, os.Chmod(socket, 0o600))
	assert.Contains(t, socketReason(socket, fs.ErrPermission), "its mode is -rw-------, so that its group may not open it either")
	require.NoError(t, os.Chmod(socket, 0o660))
	reason := socketReason(socket, fs.ErrPermission)
	assert.Regexp(t, `^permission denied for uid \d+: add this user to the socket's group \d+( \(\S+\))? \(for a container: --group-add\)$`, reason)
	reason = socketReason(filepath.Join(dir, "hidden", "engine.sock"), fs.ErrPermission)
	assert.True(t, strings.HasSuffix(reason, "this user cannot enter a directory above the socket"), reason)
}
