// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAFailedCommandShowsTheEndOfItsOutput(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	err := Command{Name: "sh", Args: []string{"-c", "seq 1 2000; echo the reason >&2; exit 4"}, LogFile: log}.Run(t.Context())
	require.Error(t, err)
	assert.Contains(t, err.Error(), "exit status 4")
	assert.Contains(t, err.Error(), "\nthe reason")
	assert.NotContains(t, err.Error(), "\n100\n")
	whole, err := os.ReadFile(log)
	require.NoError(t, err)
	assert.Contains(t, string(whole), "\n100\n")
}

func TestTheAdministratorsProgramsAreFound(t *testing.T) {
	env := withSystemPath([]string{"A=1", "PATH=/usr/bin"})
	assert.Equal(t, []string{"A=1", "PATH=/usr/bin", "PATH=/usr/bin:/usr/sbin:/sbin"}, env)
	t.Setenv("PATH", "/nowhere")
	assert.NotEmpty(t, LookPath("chroot"))
	assert.Empty(t, LookPath("no-such-program"))
}
