// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fakeApt puts an apt-get first in PATH that records its arguments, and returns a function that reads them.
func fakeApt(t *testing.T) (calls func() string) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "apt-get"), []byte("#!/bin/sh\necho \"$*\" >>"+dir+"/calls\n"), 0o755))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return func() string {
		text, _ := os.ReadFile(filepath.Join(dir, "calls"))
		return string(text)
	}
}

func TestAptRetriesDownloads(t *testing.T) {
	calls := fakeApt(t)
	require.NoError(t, AptInstall(t.Context(), filepath.Join(t.TempDir(), "log"), io.Discard, "busybox"))
	const options = "-q -o DPkg::Lock::Timeout=120 -o Dpkg::Options::=--force-unsafe-io -o Acquire::Retries=3 "
	assert.Equal(t, options+"update\n"+options+"install --yes --no-install-recommends busybox\n", calls())
}

func TestAnExistingProgramIsNotInstalled(t *testing.T) {
	calls := fakeApt(t)
	require.NoError(t, InstallPrograms(t.Context(), Options{WorkDir: t.TempDir()}, "sh", "cat"))
	assert.Empty(t, calls())
}
