// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
)

// dockerCommand stands in for the docker command. It records its arguments, and keeps the files it is to copy.
const dockerCommand = `#!/bin/sh
echo "$1" >>"$NOTES/calls"
case $1 in
create) echo 0123 ;;
cp) cat >"$NOTES/archive" ;;
esac
`

func TestByHandTakesTheFilesAndStarts(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "docker"), []byte(dockerCommand), 0o755))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv("NOTES", dir)
	l := standInLaunch{
		record:    metadata.Record{Type: "golang"}, // of an image that takes its TLS files by input, so without a user
		chaincode: metadata.Chaincode{ID: "kv_1.0:1", PeerAddress: "a:1", ClientCert: "cert", ClientKey: "key", RootCert: "root"},
		image:     "image",
	}
	remove, err := runByHand(t.Context(), l)
	require.NoError(t, err)
	require.NoError(t, remove())
	calls, err := os.ReadFile(filepath.Join(dir, "calls"))
	require.NoError(t, err)
	assert.Equal(t, "create\ncp\nstart\nrm\n", string(calls))
	archive, err := os.ReadFile(filepath.Join(dir, "archive"))
	require.NoError(t, err)
	assert.NotEmpty(t, archive)
}
