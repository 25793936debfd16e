// SPDX-License-Identifier: Apache-2.0

package test_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"fabric-builder-docker/test/peer"
)

// builderDir is where packaging/Dockerfile puts the builder.
const builderDir = "/opt/hyperledger/docker_builder"

// fromSettings returns what a peer makes of a core.yaml and a variable for externalBuilders.
func fromSettings(t *testing.T, core, variable string) peer.Options {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "core.yaml"), []byte(core), 0o600))
	options, err := peer.FromSettings([]string{"FABRIC_CFG_PATH=" + dir, "CORE_PEER_CHAINCODEADDRESS=peer:7052", "CORE_CHAINCODE_EXTERNALBUILDERS=" + variable})
	require.NoError(t, err)
	assert.Equal(t, builderDir, options.BuilderPath)
	assert.Equal(t, "docker", options.BuilderName, "all files must use one name: a peer does not find builds under another")
	return options
}

// The compose file promises that it sets one variable and one mount of each peer, and nothing else.
func TestTheComposeFileSetsAVariableAndAMount(t *testing.T) {
	text, err := os.ReadFile("../packaging/compose.yaml")
	require.NoError(t, err)
	var file struct {
		Services map[string]map[string][]string `json:"services"`
	}
	require.NoError(t, yaml.UnmarshalStrict(text, &file))
	assert.Len(t, file.Services, 2)
	for name, service := range file.Services {
		require.Len(t, service, 2, name)
		require.Len(t, service["environment"], 1, name)
		_, value, _ := strings.Cut(service["environment"][0], "=")
		fromSettings(t, "", value)
		require.Len(t, service["volumes"], 1, name)
		assert.Regexp(t, `^\$\{FABRIC_BUILDER_DOCKER:\?[^}]+\}:`+builderDir+`:ro$`, service["volumes"][0])
	}
}

// core.yaml propagates only variables that the builder reads.
func TestTheLinesForCore(t *testing.T) {
	text, err := os.ReadFile("../packaging/core.yaml")
	require.NoError(t, err)
	options := fromSettings(t, string(text), "")
	documented, err := os.ReadFile("../docs/configuration.md")
	require.NoError(t, err)
	packages, err := os.ReadFile("../docs/packages.md")
	require.NoError(t, err)
	assert.NotEmpty(t, options.Propagate)
	for _, name := range options.Propagate {
		assert.Contains(t, string(documented)+string(packages), "`"+name+"`", "a variable that docs/ does not explain")
	}
}

// The Dockerfile puts the programs where the other files expect them.
func TestTheDockerfileAndTheOtherFilesAgree(t *testing.T) {
	dockerfile, err := os.ReadFile("../packaging/Dockerfile")
	require.NoError(t, err)
	for _, path := range regexp.MustCompile(`/opt/\S*builder\b`).FindAllString(string(dockerfile), -1) {
		assert.Equal(t, builderDir, path)
	}
	assert.Contains(t, string(dockerfile), builderDir)
}
