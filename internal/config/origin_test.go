// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
)

func TestWhereSettingsComeFromIsToldWithoutSecrets(t *testing.T) {
	dir, core := home(t, `
vm: {docker: {hostConfig: {Memory: 1000000000, LogConfig: {Type: splunk, Config: {splunk-token: s3cret}}}}}
builder:
  environment: [TOKEN=s3cret]
  types: [golang, node]
  overrides: [{label: a, environment: [TOKEN=s3cret]}]
`), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(core, "core.yaml"), []byte("peer: {id: peer0}\nvm: {docker: {hostConfig: {Memory: 5}}}"), 0o644))
	settings, err := config.Load(dir, []string{"FABRIC_CFG_PATH=" + core, "CORE_VM_ENDPOINT=tcp://ada:s3cret@127.0.0.1:1"})
	require.NoError(t, err)
	file := filepath.Join(dir, "config.yaml")
	assert.Equal(t, []string{filepath.Join(core, "core.yaml"), file}, settings.Sources.Files)
	assert.Equal(t, []config.Origin{
		{Key: "builder.environment", Value: "TOKEN (values are not shown)", Source: file},
		{Key: "builder.overrides", Value: "1 entry", Source: file},
		{Key: "builder.types", Value: "golang, node", Source: file},
		{Key: "peer.id", Value: "peer0", Source: filepath.Join(core, "core.yaml")},
		{Key: "vm.docker.hostConfig.LogConfig.Config", Value: "splunk-token (values are not shown)", Source: file},
		{Key: "vm.docker.hostConfig.LogConfig.Type", Value: "splunk", Source: file},
		{Key: "vm.docker.hostConfig.Memory", Value: "1000000000", Source: file},
		{Key: "vm.endpoint", Value: "tcp://ada:xxxxx@127.0.0.1:1", Source: "CORE_VM_ENDPOINT"},
	}, settings.Origins())
	assert.Equal(t, file, settings.Sources.Of("builder.types"))
	assert.Empty(t, settings.Sources.Of("builder.prefix"))
}

func TestAnUnreadableCoreFileIsNoted(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "core.yaml")
	require.NoError(t, os.WriteFile(path, nil, 0o644))
	config.CloseFile(t, path)
	settings, err := config.Load(t.TempDir(), []string{"FABRIC_CFG_PATH=" + dir})
	require.NoError(t, err)
	assert.Equal(t, []string{path}, settings.Sources.Unreadable)
}

// As computeChaincodeEndpoint of the peer does.
func TestTheAddressThatThePeerGivesToChaincodes(t *testing.T) {
	for name, test := range map[string]struct {
		core    string
		environ []string
		address string
		source  string
	}{
		"nothing":             {"", nil, "", ""},
		"set":                 {"peer: {chaincodeAddress: 'a:1', chaincodeListenAddress: 'b:2', address: 'c:3'}", nil, "a:1", "peer.chaincodeAddress in FILE"},
		"by a variable":       {"peer: {chaincodeAddress: 'a:1'}", []string{"CORE_PEER_CHAINCODEADDRESS=x:9"}, "x:9", "CORE_PEER_CHAINCODEADDRESS"},
		"where it listens":    {"peer: {chaincodeListenAddress: 'b:2', address: 'c:3'}", nil, "b:2", "peer.chaincodeListenAddress in FILE"},
		"listens everywhere":  {"peer: {chaincodeListenAddress: '0.0.0.0:2', address: 'c:3'}", nil, "c:2", "peer.chaincodeListenAddress in FILE and peer.address in FILE"},
		"an address for all":  {"peer: {chaincodeAddress: '0.0.0.0:1', chaincodeListenAddress: 'b:2'}", nil, "b:2", "peer.chaincodeListenAddress in FILE"},
		"the peer's own":      {"peer: {address: 'c:3'}", nil, "c:7052", "peer.address in FILE"},
		"a variable and none": {"", []string{"CORE_PEER_ADDRESS=p:7051", "CORE_PEER_CHAINCODELISTENADDRESS=0.0.0.0:7055"}, "p:7055", "CORE_PEER_CHAINCODELISTENADDRESS and CORE_PEER_ADDRESS"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "core.yaml")
			require.NoError(t, os.WriteFile(path, []byte(test.core), 0o644))
			address, source, err := config.PeerAddress(append(test.environ, "FABRIC_CFG_PATH="+dir))
			require.NoError(t, err)
			assert.Equal(t, test.address, address)
			assert.Equal(t, strings.ReplaceAll(test.source, "FILE", path), source)
		})
	}
	detected, _, err := config.PeerAddress([]string{"CORE_PEER_ADDRESS=0.0.0.0:7051"})
	require.NoError(t, err)
	address, _, err := config.PeerAddress([]string{"CORE_PEER_ADDRESS=peer0:7051", "CORE_PEER_ADDRESSAUTODETECT=true"})
	require.NoError(t, err)
	assert.Equal(t, detected, address, "the peer gives out an address of its machine, whatever its name is")
	if address != "" { // a machine without a network
		host, port, err := net.SplitHostPort(address)
		require.NoError(t, err)
		assert.NotNil(t, net.ParseIP(host))
		assert.Equal(t, "7052", port)
	}
}

// A peer on a host may keep its builds anywhere.
func TestWhereThePeerKeepsBuilds(t *testing.T) {
	dir := t.TempDir()
	for path, set := range map[string]string{"data": "data", dir + "/other": dir + "/other"} {
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		builds := filepath.Join(path, "externalbuilder", "builds")
		require.NoError(t, os.MkdirAll(builds, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "core.yaml"), []byte("peer: {fileSystemPath: "+set+"}"), 0o644))
		assert.Equal(t, builds, config.BuildsDir([]string{"FABRIC_CFG_PATH=" + dir}))
		assert.Empty(t, config.BuildsDir([]string{"FABRIC_CFG_PATH=" + dir, "CORE_PEER_FILESYSTEMPATH=/no/such"}))
	}
}
