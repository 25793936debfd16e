// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A socket's path is limited to 108 bytes, and containerd's is the longest.
func TestSocketPathsAreShortWhereverTheWorkingDirectoryIs(t *testing.T) {
	deep := filepath.Join(t.TempDir(), strings.Repeat("long/", 60))
	p, err := newPaths(deep)
	require.NoError(t, err)
	assert.Less(t, len(p.socket()), 108)
	assert.Less(t, len(filepath.Join(p.execRoot(), "containerd", "containerd-debug.sock.ttrpc")), 108)
	assert.Regexp(t, `^/tmp/fbd-[0-9a-f]{8}$`, p.short)
}

func TestTwoSpellingsOfAWorkingDirectoryGiveOneEngine(t *testing.T) {
	base := t.TempDir()
	require.NoError(t, os.Symlink(base, filepath.Join(base, "link")))
	direct, err := newPaths(filepath.Join(base, "work"))
	require.NoError(t, err)
	linked, err := newPaths(filepath.Join(base, "link", "work") + "/")
	require.NoError(t, err)
	other, err := newPaths(filepath.Join(base, "other"))
	require.NoError(t, err)
	assert.Equal(t, direct, linked)
	assert.NotEqual(t, direct.short, other.short)
}

func TestAWorkingDirectoryThatContainsTheCurrentOneIsRefused(t *testing.T) {
	for _, dir := range []string{".", "..", "/"} {
		_, err := newPaths(dir)
		assert.ErrorContains(t, err, "contains the current directory", dir)
	}
}

func TestTheSocketsDirectoryMustBelongToTheUser(t *testing.T) {
	base := t.TempDir()
	p := paths{engine: filepath.Join(base, "engine"), short: filepath.Join(base, "short")}
	require.NoError(t, p.make())
	assert.NoError(t, p.make(), "an earlier run's is used again")

	p.short = filepath.Join(base, "link")
	require.NoError(t, os.Symlink(base, p.short))
	assert.ErrorContains(t, p.make(), "is not a directory of this user")
}
