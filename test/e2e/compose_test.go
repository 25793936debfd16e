// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bytes"
	"crypto/rand"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
)

// chaincodeAddresses are those of the peers in testdata/test-network, by service.
var chaincodeAddresses = map[string]string{
	"peer0.org1.example.com": "peer0.org1.example.com:7052",
	"peer0.org2.example.com": "peer0.org2.example.com:9052",
}

// packaging/compose.yaml gives the peers of a network that is laid out as fabric-samples' test network this builder, as
// docs/quickstart.md says: named before the network's own files, as network.sh does with CONTAINER_CLI_COMPOSE.
func TestTheComposeFileInATestNetwork(t *testing.T) {
	n := newTestNetwork(t, "")
	dir := builder(t, "") // sets nothing: the images of the peer's own release
	n.environment = append(n.environment, "FABRIC_BUILDER_DOCKER="+dir)
	overlay, err := filepath.Abs("../../packaging/compose.yaml")
	require.NoError(t, err)
	n.before = []string{"--project-directory", "compose", "-f", overlay}
	for service, said := range n.run(t) {
		assert.Contains(t, said, "version=2.5.9", "%s: the images are those of the peer", service)
		assert.Contains(t, said, `from="the executable of the peer, process `, service)
	}
}

// Named after the network's own files, packaging/compose.yaml does the same, and without its variable it says what to set.
func TestTheOrderOfComposeFilesDoesNotMatter(t *testing.T) {
	n := newTestNetwork(t, "")
	overlay, err := filepath.Abs("../../packaging/compose.yaml")
	require.NoError(t, err)
	n.before, n.after = nil, []string{"-f", overlay}
	said, err := n.compose("config").CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(said), "set FABRIC_BUILDER_DOCKER to the directory that contains bin/")

	n.environment = append(n.environment, "FABRIC_BUILDER_DOCKER=/builder")
	behind, err := n.compose("config").Output()
	require.NoError(t, err)
	n.before, n.after = []string{"--project-directory", "compose", "-f", overlay}, nil
	front, err := n.compose("config").Output()
	require.NoError(t, err)
	assert.ElementsMatch(t, strings.Split(string(behind), "\n"), strings.Split(string(front), "\n"), "Compose 2 keeps the order of mounts")
	assert.Equal(t, 2, strings.Count(string(front), "path: /opt/hyperledger/docker_builder,"), string(front))
}

// The peers' image has the layer of packaging/Dockerfile, and core.yaml the lines of packaging/core.yaml, which propagate the
// variables for the engine and the network.
func TestTheImageAndTheLinesOfCoreInATestNetwork(t *testing.T) {
	lines, err := os.ReadFile("../../packaging/core.yaml")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(lines), "\nchaincode:\n")
	require.True(t, found)
	n := newTestNetwork(t, section)
	shipped, err := os.ReadFile("../../packaging/config.yaml")
	require.NoError(t, err)
	n.environment = append(n.environment, "PEER_IMAGE="+peerImage(t, n.image, shipped))
	for service, said := range n.run(t) {
		assert.Contains(t, said, "version=2.5.9", service)
	}
}

// testNetwork is a network that is laid out as fabric-samples' test network, with the tests' own peers. Each of them installs
// and invokes a chaincode, and ends.
type testNetwork struct {
	dir           string // in place of test-network/
	name          string // of the project
	image         string // of the peers
	before, after []string
	environment   []string
}

// newTestNetwork copies testdata/test-network. core is added to the section chaincode of core.yaml.
func newTestNetwork(t *testing.T, core string) *testNetwork {
	t.Helper()
	n := &testNetwork{dir: t.TempDir(), name: prefix + "-" + strings.ToLower(rand.Text()[:10])}
	require.NoError(t, os.CopyFS(n.dir, os.DirFS("testdata/test-network")))
	text, err := os.ReadFile("testdata/core/core.yaml")
	require.NoError(t, err)
	text = bytes.Replace(text, []byte("\nchaincode:\n"), []byte("\nchaincode:\n"+core), 1)
	peercfg := filepath.Join(n.dir, "compose/docker/peercfg")
	require.NoError(t, os.MkdirAll(peercfg, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(peercfg, "core.yaml"), text, 0o644))
	n.image = imageOfPeer(t)
	n.environment = append(os.Environ(), "COMPOSE_PROJECT_NAME="+n.name, "COMPOSE_API_VERSION=auto", "NETWORK="+n.name+"_net",
		"DOCKER_HOST="+world.host, "DOCKER_SOCK="+socketPath(t), "PEER_IMAGE="+n.image)
	return n
}

// imageOfPeer builds an image that stands in for the official one: "peer node start" installs and invokes a chaincode with
// what core.yaml and the variables say.
func imageOfPeer(t *testing.T) string {
	t.Helper()
	const (
		dockerfile = "ARG BASE\nFROM $BASE\nUSER root\nCOPY --chown=0:0 . /\nENTRYPOINT [\"/usr/local/bin/start\"]\n"
		start      = "#!/bin/sh\nexec \"$@\" /usr/local/bin/transactions\n"
		script     = "#!/bin/sh\nset -e\ntestpeer install -settings /kv.tgz\n" +
			"testpeer invoke -settings -- put name $CORE_PEER_ID\ntestpeer invoke -settings -- get name\n"
	)
	bin := "usr/local/bin/"
	return imageFromFiles(t, "peer", url.Values{"buildargs": {`{"BASE":"` + world.baseos + `"}`}},
		archived{name: "Dockerfile", mode: 0o644, body: []byte(dockerfile)},
		archived{name: "kv.tgz", mode: 0o644, body: sample(t, "go", "golang", "kv_1.0")},
		archived{name: bin + "start", mode: 0o755, body: []byte(start)},
		archived{name: bin + "transactions", mode: 0o755, body: []byte(script)},
		fileOf(t, bin+"testpeer", testpeer(t), 0o755), fileOf(t, bin+"peer", peerOfRelease(t), 0o755))
}

// compose returns a call of Compose as network.sh makes it.
func (n *testNetwork) compose(args ...string) *exec.Cmd {
	command := []string{"docker-compose"}
	if _, err := exec.LookPath(command[0]); err != nil {
		command = []string{"docker", "compose"}
	}
	command = append(command, n.before...)
	command = append(command, "-f", "compose/compose-test-net.yaml", "-f", "compose/docker/docker-compose-test-net.yaml")
	command = append(append(command, n.after...), args...)
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir, cmd.Env = n.dir, n.environment
	return cmd
}

// run starts the network and waits until the chaincodes of its peers have answered. It returns what each peer printed.
func (n *testNetwork) run(t *testing.T) map[string]string {
	t.Helper()
	t.Cleanup(func() {
		output, err := n.compose("down", "--volumes").CombinedOutput()
		assert.NoError(t, err, string(output))
	})
	joined := map[string]func() map[string][]string{}
	for service, address := range chaincodeAddresses {
		joined[service] = watchNetworks(t, address)
	}
	output, err := n.compose("up", "-d").CombinedOutput()
	require.NoError(t, err, string(output))
	printed := map[string]string{}
	for service, address := range chaincodeAddresses {
		output, err := n.compose("ps", "--all", "-q", service).Output()
		require.NoError(t, err)
		id := strings.TrimSpace(string(output))
		require.NotEmpty(t, id, service)
		var ended struct{ StatusCode int }
		require.NoError(t, world.engine.Post(timeout(t), "/containers/"+id+"/wait", nil, &ended))
		said := printedBy(t, id)
		require.Zero(t, ended.StatusCode, said)
		assert.Contains(t, said, "\n"+service+"\n", "the answer of the chaincode")
		assert.NotContains(t, said, "[WARN]", "all is as it should be")
		networks := joined[service]()
		assert.Len(t, networks, 2, "%s: one for each launch", service)
		for _, networks := range networks {
			assert.Equal(t, []string{n.name + "_net"}, networks, service)
		}
		noContainers(t, metadata.LabelPeerAddress, address)
		printed[service] = said
	}
	return printed
}
