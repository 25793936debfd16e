package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/test/peer"
)

const indexPath = "META-INF/statedb/couchdb/indexes/owner.json"

// servicePackage is a package with connection.json at the root of its code, as the bundled builder has it.
func servicePackage(t *testing.T, packageType, connection string) []byte {
	t.Helper()
	pkg, err := peer.Assemble(map[string]any{"type": packageType, "label": "service_1.0"},
		peer.File("connection.json", connection), peer.File(indexPath, `{"index":{"fields":["owner"]}}`))
	require.NoError(t, err)
	return pkg
}

// The peer connects to the chaincode and never calls run; no engine is asked.
func TestAChaincodeAsAService(t *testing.T) {
	values := func(o *peer.Options) {
		o.Propagate = []string{`CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG={"peername":"peer0","port":9999}`}
	}
	dir := builder(t, "vm: {endpoint: unix:///nowhere/docker.sock}")
	for _, packageType := range []string{"ccaas", "external", "CCAAS"} {
		t.Run(packageType, func(t *testing.T) {
			p := newPeer(t, withBuilder(dir), values)
			id := p.install(t, servicePackage(t, packageType, `{"address":"{{.peername}}_service:{{.port}}","dial_timeout":5000000000,"domain":"{{.peername}}","tls_required":false}`))
			connection, err := p.Build(id).Connection()
			require.NoError(t, err)
			assert.Equal(t, &peer.Connection{Address: "peer0_service:9999", Domain: "peer0", DialTimeout: peer.Duration(5 * time.Second)}, connection)
			indexes, err := p.Build(id).Indexes()
			require.NoError(t, err)
			assert.Contains(t, indexes, strings.TrimPrefix(indexPath, "META-INF/"))
			_, err = p.Launch(timeout(t), id)
			require.ErrorIs(t, err, peer.ErrServer)
			assert.Empty(t, p.said("run"))
		})
	}
}

func TestAServiceThatCannotBeReachedIsRefusedAtTheInstall(t *testing.T) {
	for connection, want := range map[string]string{
		`{"address":"{{.peername}}:9999"}`:                     `map has no entry for key "peername"`,
		`{"address":"cc"}`:                                     `"address" is "cc": expected host:port`,
		`{"address":"cc:9999","tls_required":true}`:            `"root_cert" is missing`,
		`{"address":"cc:9999","dial_timeout":"soon"}`:          `"dial_timeout" is "soon"`,
		`{"address":"cc:9999","tls_required":"{{.tls}}","x":1`: "not the JSON expected here",
	} {
		p := newPeer(t, withBuilder(builder(t, "vm: {endpoint: unix:///nowhere/docker.sock}")))
		_, err := p.Install(timeout(t), servicePackage(t, "ccaas", connection))
		require.ErrorContains(t, err, "exit status 1")
		assert.Contains(t, p.said("build"), want)
	}
}

// The peer calls run all the same when its copy of release is incomplete.
func TestRunRefusesAService(t *testing.T) {
	p := newPeer(t, withBuilder(builder(t, "vm: {endpoint: unix:///nowhere/docker.sock}")))
	id := p.install(t, servicePackage(t, "ccaas", `{"address":"cc:9999"}`))
	require.NoError(t, os.RemoveAll(filepath.Join(p.Build(id).Release, "chaincode")))
	_, err := p.Launch(timeout(t), id)
	require.ErrorContains(t, err, "exit status 1")
	assert.Equal(t, fmt.Sprintf("[ERROR] run: a package of type ccaas is a service that runs elsewhere: the peer connects to it, there is nothing to run; "+
		"delete %s and restart the peer, which then builds the chaincode again\n", filepath.Dir(p.Build(id).Output)), p.said("run"))
}

// The bundled builder may be there for this type.
func TestATypeThatTheOperatorHasNotListed(t *testing.T) {
	p := newPeer(t, withBuilder(builder(t, "builder: {types: [golang, node]}")))
	_, err := p.Install(timeout(t), servicePackage(t, "ccaas", `{"address":"cc:9999"}`))
	require.Error(t, err)
	assert.Empty(t, p.said("detect"))
	assert.Empty(t, p.said("build"))
}
