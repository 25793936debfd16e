// SPDX-License-Identifier: Apache-2.0

package peer_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/test/peer"
)

const coreYAML = `
peer: {id: jdoe, chaincodeAddress: "a.example.com:7052", chaincodeListenAddress: "0.0.0.0:7052", fileSystemPath: /production, tls: {enabled: false}}
chaincode: {mode: net, externalBuilders: [{name: file, path: /file, propagateEnvironment: [A, B]}]}
`

func TestFromSettings(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "core.yaml"), []byte(coreYAML), 0o600))
	environ := []string{"FABRIC_CFG_PATH=" + dir}
	fromFile := peer.Options{
		BuilderPath: "/file", BuilderName: "file", Propagate: []string{"A", "B"}, Environ: environ,
		Dir: "/production", Listen: "0.0.0.0:7052", Host: "a.example.com",
	}
	options, err := peer.FromSettings(environ)
	require.NoError(t, err)
	assert.Equal(t, fromFile, options)

	environ = append(environ, "CORE_CHAINCODE_EXTERNALBUILDERS=[{name: variable, path: /variable}]", "CORE_PEER_TLS_ENABLED=true",
		"CORE_PEER_CHAINCODEADDRESS=b.example.com:9052", "CORE_PEER_CHAINCODELISTENADDRESS=0.0.0.0:9052", "CORE_PEER_FILESYSTEMPATH=/other")
	options, err = peer.FromSettings(environ)
	require.NoError(t, err)
	assert.Equal(t, peer.Options{
		BuilderPath: "/variable", BuilderName: "variable", Environ: environ, TLS: true, Dir: "/other", Listen: "0.0.0.0:9052", Host: "b.example.com",
	}, options)
}

func TestFromSettingsRefusesWhatThePeerRefuses(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "core.yaml"), []byte(coreYAML), 0o600))
	for value, want := range map[string]string{
		"[{name: docker}]":                    "a name and a path",
		"[{name: docker, path: /, pth: /}]":   `unknown field "pth"`,
		"[{name: a, path: /}, {name: b}]":     "expected one entry, got 2",
		"[{name: docker, path: /opt/builder}": "reading CORE_CHAINCODE_EXTERNALBUILDERS",
	} {
		_, err := peer.FromSettings([]string{"FABRIC_CFG_PATH=" + dir, "CORE_CHAINCODE_EXTERNALBUILDERS=" + value})
		assert.ErrorContains(t, err, want, value)
	}
	_, err := peer.FromSettings([]string{"FABRIC_CFG_PATH=/nonexistent"})
	assert.ErrorContains(t, err, "reading settings")
}
