// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
)

func TestFilesForBuildsAreRelativeToTheSettingsFile(t *testing.T) {
	dir := home(t, "builder: {build: {caBundle: ca.pem, secrets: {~/.netrc: secrets/netrc, /etc/key: /run/key}}}")
	loaded, err := config.Load(dir, nil)
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(dir, "ca.pem"), loaded.Builder.Build.CABundle)
	assert.Equal(t, map[string]string{"~/.netrc": filepath.Join(dir, "secrets/netrc"), "/etc/key": "/run/key"}, loaded.Builder.Build.Secrets)

	peer := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(peer, "core.yaml"), []byte("peer: {}\n"), 0o600))
	loaded, err = config.Load(t.TempDir(), []string{"FABRIC_CFG_PATH=" + peer, "CORE_BUILDER_BUILD_SECRETS=~/.npmrc=npmrc"})
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"~/.npmrc": filepath.Join(peer, "npmrc")}, loaded.Builder.Build.Secrets)
}

func TestPlacesOfSecretFiles(t *testing.T) {
	for _, place := range []string{"~/.netrc", "~/.m2/settings.xml", "/etc/npmrc", "/root/.config/a b", "~/chaincode/x", "/chaincodes"} {
		_, err := config.Load(home(t, `builder: {build: {secrets: {"`+place+`": file}}}`), nil)
		assert.NoError(t, err, place)
	}
	for _, place := range []string{
		"", "/", "~", "~/", ".netrc", "root/.netrc", "~root/.netrc", "/etc/../chaincode/output/x", "~/../x", "/etc//x", "/etc/x/", "/a\\nb",
		"/chaincode", "/chaincode/input/src/.npmrc", "/chaincode/output/x",
	} {
		_, err := config.Load(home(t, `builder: {build: {secrets: {"`+place+`": file}}}`), nil)
		assert.ErrorContains(t, err, "builder.build.secrets: invalid place ", place)
	}
	_, err := config.Load(home(t, `builder: {build: {secrets: {~/.netrc: }}}`), nil)
	assert.ErrorContains(t, err, "builder.build.secrets: ~/.netrc has no file: expected the name of a file on the peer's side")
}
