// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
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

// servicePackage returns a package with connection.json at the root of its code, as the builder bundled with Fabric
// expects it.
func servicePackage(t *testing.T, packageType, connection string) []byte {
	t.Helper()
	pkg, err := peer.Assemble(map[string]any{"type": packageType, "label": "service_1.0"},
		peer.File("connection.json", connection), peer.File(indexPath, `{"index":{"fields":["owner"]}}`))
	require.NoError(t, err)
	return pkg
}

// The peer connects to the chaincode and never calls run. No engine is contacted.
func TestAChaincodeAsAService(t *testing.T) {
	t.Parallel()
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

// Fabric's documentation of chaincode as an external service packs the indexes in metadata, and macOS's tar adds hidden files.
func TestIndexesOfAServiceReachThePeer(t *testing.T) {
	t.Parallel()
	const index, appleDouble = `{"index":{"fields":["owner"]}}`, "\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        "
	p := newPeer(t, withBuilder(builder(t, "vm: {endpoint: unix:///nowhere/docker.sock}")))
	for name, code := range map[string][]peer.Entry{
		"external_metadata": {peer.File("metadata/statedb/couchdb/indexes/owner.json", index)},
		"external_macos": {
			peer.File("._META-INF", appleDouble), peer.File("META-INF/._statedb", appleDouble),
			peer.File(indexPath, index), peer.File("META-INF/statedb/couchdb/indexes/._owner.json", appleDouble),
		},
	} {
		pkg, err := peer.Assemble(map[string]any{"type": "external", "label": name}, append(code, peer.File("connection.json", `{"address":"cc.example.com:9999","dial_timeout":"10s","tls_required":false}`))...)
		require.NoError(t, err)
		indexes, err := p.Build(p.install(t, pkg)).Indexes()
		require.NoError(t, err)
		assert.Equal(t, map[string][]byte{strings.TrimPrefix(indexPath, "META-INF/"): []byte(index)}, indexes, name)
	}
	assert.Contains(t, p.said("build"), "address=cc.example.com:9999")
}

// clientAuthority creates a root certificate, and a client certificate and key issued by it, as PEM.
func clientAuthority(t *testing.T) (root, cert, key string) {
	t.Helper()
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	rootDER, err := x509.CreateCertificate(rand.Reader, template, template, &rootKey.PublicKey, rootKey)
	require.NoError(t, err)
	clientKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	client := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "peer0"}, NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	clientDER, err := x509.CreateCertificate(rand.Reader, client, template, &clientKey.PublicKey, rootKey)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(clientKey)
	require.NoError(t, err)
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return block("CERTIFICATE", rootDER), block("CERTIFICATE", clientDER), block("PRIVATE KEY", keyDER)
}

// Both sides present a certificate. The peer gets what it needs from the package and from its own environment.
func TestAServiceWithTLSAndClientAuthentication(t *testing.T) {
	t.Parallel()
	root, cert, key := clientAuthority(t)
	values, err := json.Marshal(map[string]string{"peername": "peer0", "key": key})
	require.NoError(t, err)
	connection, err := json.Marshal(map[string]any{
		"address": "{{.peername}}_service:9999", "domain": "{{.peername}}", "dial_timeout": "10s",
		"tls_required": true, "client_auth_required": true,
		"root_cert": root, "client_cert": cert, "client_key": "{{.key}}",
	})
	require.NoError(t, err)
	p := newPeer(t, withBuilder(builder(t, "vm: {endpoint: unix:///nowhere/docker.sock}")), func(o *peer.Options) {
		o.Propagate = []string{"CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG=" + string(values)}
	})
	id := p.install(t, servicePackage(t, "ccaas", string(connection)))
	released, err := p.Build(id).Connection()
	require.NoError(t, err)
	assert.Equal(t, &peer.Connection{
		Address: "peer0_service:9999", Domain: "peer0", DialTimeout: peer.Duration(10 * time.Second),
		TLSRequired: true, ClientAuthRequired: true, RootCert: root, ClientCert: cert, ClientKey: key,
	}, released)
	_, err = tls.X509KeyPair([]byte(released.ClientCert), []byte(released.ClientKey))
	require.NoError(t, err, "a pair that the peer can load")
	_, err = p.Launch(timeout(t), id)
	require.ErrorIs(t, err, peer.ErrServer)
	assert.NotContains(t, p.said("build")+p.said("release"), "PRIVATE KEY")
}

func TestAServiceThatCannotBeReachedIsRefusedAtTheInstall(t *testing.T) {
	t.Parallel()
	for connection, want := range map[string]string{
		`{"address":"{{.peername}}:9999"}`:                     `map has no entry for key "peername"`,
		`{"address":"cc"}`:                                     `invalid "address" "cc": expected host:port`,
		`{"address":"cc:9999","tls_required":true}`:            `"root_cert" is missing`,
		`{"address":"cc:9999","dial_timeout":"soon"}`:          `invalid "dial_timeout" "soon"`,
		`{"address":"cc:9999","tls_required":"{{.tls}}","x":1`: "parsing JSON",
	} {
		p := newPeer(t, withBuilder(builder(t, "vm: {endpoint: unix:///nowhere/docker.sock}")))
		_, err := p.Install(timeout(t), servicePackage(t, "ccaas", connection))
		require.ErrorContains(t, err, "exit status 1")
		assert.Contains(t, p.said("build"), want)
	}
}

// The peer calls run even so if its copy of release is incomplete.
func TestRunRefusesAService(t *testing.T) {
	t.Parallel()
	p := newPeer(t, withBuilder(builder(t, "vm: {endpoint: unix:///nowhere/docker.sock}")))
	id := p.install(t, servicePackage(t, "ccaas", `{"address":"cc:9999"}`))
	require.NoError(t, os.RemoveAll(filepath.Join(p.Build(id).Release, "chaincode")))
	_, err := p.Launch(timeout(t), id)
	require.ErrorContains(t, err, "exit status 1")
	assert.Equal(t, fmt.Sprintf("[ERROR] run: chaincode of type ccaas runs as a service: the peer connects to it, and there is nothing to run; "+
		"delete %s and restart the peer, which then builds the chaincode again: chaincode_id=%s\n", filepath.Dir(p.Build(id).Output), id), p.said("run"))
}

// Another builder, such as the one bundled with Fabric, may handle this type.
func TestATypeThatTheOperatorHasNotListed(t *testing.T) {
	t.Parallel()
	p := newPeer(t, withBuilder(builder(t, "builder: {types: [golang, node]}")))
	_, err := p.Install(timeout(t), servicePackage(t, "ccaas", `{"address":"cc:9999"}`))
	require.Error(t, err)
	assert.Empty(t, p.said("detect"))
	assert.Empty(t, p.said("build"))
}
