// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/test/peer"
)

// apart starts a peer on the host whose chaincodes have a network of their own, with more lines for the builder section.
func apart(t *testing.T, extra string) *testPeer {
	t.Helper()
	const host = "peer0.org1.example.com"
	network := createNetwork(t, "debug-"+strings.ToLower(rand.Text()[:10]))
	var found struct {
		IPAM struct{ Config []struct{ Gateway string } }
	}
	require.NoError(t, world.engine.Get(timeout(t), "/networks/"+network, &found))
	require.NotEmpty(t, found.IPAM.Config)
	settings := strings.Replace(config(extra), "chaincode:\n", fmt.Sprintf("  docker: {hostConfig: {NetworkMode: %s, ExtraHosts: [%q]}}\nchaincode:\n",
		network, host+":"+found.IPAM.Config[0].Gateway), 1)
	return newPeer(t, withBuilder(builder(t, settings)), func(o *peer.Options) { o.Listen, o.Host = "0.0.0.0:0", host })
}

// removeKept removes the containers with a label of that value, as the next run would.
func removeKept(t *testing.T, label, value string) {
	t.Helper()
	for _, c := range containers(t, label, value) {
		require.NoError(t, world.engine.Delete(timeout(t), "/containers/"+c.ID+"?v=1"))
	}
}

var published = regexp.MustCompile(`ports=\[(127\.0\.0\.1:\d+)->9229\]`)

// A Node chaincode with its inspector, as docs/debugging.md shows it: over TLS, with all the restrictions of chaincodes.
func TestDebuggingANodeChaincode(t *testing.T) {
	p := apart(t, `  overrides:
    - label: node_*
      debug:
        ports: ["127.0.0.1::9229"]
        command: [sh, -c, "cd /usr/local/src && exec node --inspect=0.0.0.0:9229 node_modules/.bin/fabric-chaincode-node start --peer.address $CORE_PEER_ADDRESS"]
        logLevel: debug
        keep: true
`)
	id := p.install(t, sample(t, "node", "node", "node_1.0"))
	p.invoke(t, id, "put", "a", "1")
	said := p.said("run")
	assert.Equal(t, 1, strings.Count(said, `debugging is on for this chaincode: chaincode_id=`+id+` set_by=["builder.overrides[0]"]`), said)
	port := published.FindStringSubmatch(said)
	require.NotNil(t, port, said)

	var version struct{ Browser string }
	response, err := http.Get("http://" + port[1] + "/json/version")
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(body, &version))
	assert.Contains(t, version.Browser, "node.js/", "the inspector answers on loopback")

	require.NoError(t, p.Stop(timeout(t), id))
	assert.NotEqual(t, -1, p.ended(t, id).ExitCode(), "the peer did not have to kill run")
	token := p.record(t, id).InstallToken
	kept := containers(t, metadata.LabelInstallToken, token)
	require.Len(t, kept, 1)
	assert.Equal(t, "exited", kept[0].State)
	assert.Contains(t, lastLine(p.said("run")), "kept_container="+strings.TrimPrefix(kept[0].Names[0], "/"))

	p.invoke(t, id, "put", "a", "2")
	assert.Contains(t, p.said("run"), "removing an older container of this chaincode")
	running := containers(t, metadata.LabelInstallToken, token)
	require.Len(t, running, 1)
	assert.NotEqual(t, kept[0].ID, running[0].ID)
	require.NoError(t, p.Stop(timeout(t), id))
	p.ended(t, id)
	removeKept(t, metadata.LabelInstallToken, token)
}

// A port that is in use is named with the setting, and nothing is left.
func TestAPublishedPortThatIsInUse(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	p := apart(t, fmt.Sprintf("  overrides: [{label: \"*\", debug: {ports: [\"%s:9229\"], keep: true}}]\n", listener.Addr()))
	id := p.install(t, sample(t, "hangs", "golang", "hangs_1.0"))
	_, err = p.Launch(timeout(t), id)
	require.ErrorContains(t, err, "exit status 1")
	last := lastLine(p.said("run"))
	assert.Contains(t, last, "each port in debug.ports of builder.overrides[0] must be free on the engine's machine")
	noContainers(t, metadata.LabelInstallToken, p.record(t, id).InstallToken)
}

// A chaincode that dies at once keeps its container, and what it printed is in the engine's log.
func TestAChaincodeThatDiesAtOnceIsKept(t *testing.T) {
	p := newPeer(t, withBuilder(builder(t, config("  overrides: [{label: \"dies_*\", debug: {keep: true}}]\n"))))
	id := p.install(t, sample(t, "dies", "golang", "dies_1.0"))
	token := p.record(t, id).InstallToken
	for range 3 {
		_, err := p.Launch(timeout(t), id)
		require.ErrorContains(t, err, "builder 'docker' run failed: exit status 3")
		require.Len(t, containers(t, metadata.LabelInstallToken, token), 1, "only the last one is kept")
	}
	assert.Contains(t, lastLine(p.said("run")), "exit_status=3")
	removeKept(t, metadata.LabelInstallToken, token)
}
