// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPackAndInstall(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "bin"), 0o700))
	for program, body := range map[string]string{"detect": "exit 0", "build": "echo building >&2", "run": "exit 3"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "bin", program), []byte("#!/bin/sh\n"+body+"\n"), 0o700))
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "code"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "code", "main.go"), []byte("package main\n"), 0o600))
	file := filepath.Join(dir, "kv.tar.gz")
	peer := []string{"-builder", dir, "-dir", filepath.Join(dir, "peer")}

	var stdout, stderr bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"pack", "-label", "kv", "-code", filepath.Join(dir, "code"), file}, &stdout, &stderr))
	require.NoError(t, run(t.Context(), append(append([]string{"install"}, peer...), file), &stdout, &stderr))
	assert.True(t, strings.HasPrefix(stdout.String(), "kv:"), stdout.String())
	assert.Contains(t, stderr.String(), "build: building")

	err := run(t.Context(), append(append([]string{"invoke"}, peer...), "--", "get", "a"), &stdout, &stderr)
	assert.ErrorContains(t, err, "exit status 3")
}

func TestUsage(t *testing.T) {
	var stdout, stderr bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"--help"}, &stdout, &stderr))
	assert.Equal(t, usage, stdout.String())
	assert.ErrorIs(t, run(t.Context(), nil, &stdout, &stderr), errUsage)
	assert.ErrorIs(t, run(t.Context(), []string{"dance"}, &stdout, &stderr), errUsage)
	assert.ErrorContains(t, run(t.Context(), []string{"install"}, &stdout, &stderr), "expected one file")
}
