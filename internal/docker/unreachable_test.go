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

// As root no socket is closed, so the words are asked for alone.
func TestAClosedSocketIsExplainedWithItsGroup(t *testing.T) {
	dir, err := os.MkdirTemp("/tmp", "engine")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "engine.sock")
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	defer listener.Close()

	reason := socketReason(socket, fs.ErrPermission)
	assert.Regexp(t, `^permission denied for uid \d+: add this user to the socket's group \d+( \(\S+\))?, in a container with --group-add$`, reason)
	reason = socketReason(filepath.Join(dir, "hidden", "engine.sock"), fs.ErrPermission)
	assert.True(t, strings.HasSuffix(reason, "a directory on the way to the socket is closed to this user"), reason)
}
