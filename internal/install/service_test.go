// SPDX-License-Identifier: Apache-2.0

package install

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
)

// pair returns a new certificate and its key, PEM.
func pair(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}))
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	require.NoError(t, err)
	return string(data)
}

func serviceDirs(t *testing.T, connection string) dirs {
	d := newDirs(t, `{"type":"CCAAS","label":"basic_1.0"}`, "META-INF/statedb/couchdb/indexes/owner.json")
	write(t, filepath.Join(d.source, "connection.json"), connection)
	return d
}

// noEngine sets an endpoint without an engine: services must not need one.
const noEngine = "CORE_VM_ENDPOINT=unix:///not/there.sock"

func TestBuildOfAService(t *testing.T) {
	certificate, key := pair(t)
	values := serviceConfig + "=" + asJSON(t, map[string]any{
		"peername": "peer0", "port": 9999, "root": certificate, "cert": certificate, "key": key, "nested": map[string]any{"wait": "5s"},
	})
	tests := map[string]struct{ connection, want string }{
		"without templates": {`{"address":"cc.example.com:9999","dial_timeout":"10s","tls_required":false}`,
			`{"address":"cc.example.com:9999","dial_timeout":"10s","tls_required":false}`},
		"with templates": {`{"address":"{{.peername}}_basic:{{.port}}","dial_timeout":"{{.nested.wait}}","domain":"{{.peername}}","tls_required":false}`,
			`{"address":"peer0_basic:9999","dial_timeout":"5s","domain":"peer0","tls_required":false}`},
		"with functions": {`{"address":"{{if eq .port 9999}}{{.peername}}{{else}}{{with .nested}}{{.wait}}{{end}}{{end}}:{{index . \"port\"}}","tls_required":false}`,
			`{"address":"peer0:9999","tls_required":false}`},
		"braces in other fields": {`{"address":"cc:1","x":"{{range"}`, `{"address":"cc:1","x":"{{range","tls_required":false}`},
		"with other fields": {`{"address":"cc:1","dial_timeout":2000000000,"comment":"{{.unknown}}","list":[1]}`,
			`{"address":"cc:1","dial_timeout":"2s","comment":"{{.unknown}}","list":[1],"tls_required":false}`},
		"keys without TLS": {`{"address":"cc:1","tls_required":false,"client_auth_required":true,"root_cert":"{{.missing}}"}`,
			`{"address":"cc:1","tls_required":false}`},
		"with TLS": {`{"address":"cc:1","tls_required":true,"client_auth_required":true,"root_cert":"{{.root}}","client_cert":"{{.cert}}","client_key":"{{.key}}"}`,
			asJSON(t, map[string]any{"address": "cc:1", "tls_required": true, "client_auth_required": true, "root_cert": certificate, "client_cert": certificate, "client_key": key})},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d := serviceDirs(t, test.connection)
			status, stderr := d.run(t, values, noEngine)
			require.Zero(t, status, stderr)
			assert.NotContains(t, stderr, "BEGIN", "no certificate or key is logged")
			assert.Equal(t, []string{"META-INF/statedb/couchdb/indexes/owner.json", "build-record.json", "connection.json"}, tree(t, d.output))
			assert.JSONEq(t, test.want, read(t, filepath.Join(d.output, "connection.json")))
			info, err := os.Stat(filepath.Join(d.output, "connection.json"))
			require.NoError(t, err)
			assert.Equal(t, os.FileMode(0o600), info.Mode())
			record, err := metadata.ReadRecord(d.output)
			require.NoError(t, err)
			assert.Equal(t, "ccaas", record.Type)
			assert.Empty(t, record.Image)
		})
	}
}

func TestBuildRefusesAServiceThatCannotBeReached(t *testing.T) {
	certificate, key := pair(t)
	_, otherKey := pair(t)
	full := func(root, cert, key string) string {
		return asJSON(t, map[string]any{"address": "cc:1", "tls_required": true, "client_auth_required": true, "root_cert": root, "client_cert": cert, "client_key": key})
	}
	fake := "-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----\n"
	tests := map[string]struct{ connection, values, want string }{
		"no values":               {`{"address":"{{.peername}}:1"}`, "", `rendering "address" of connection.json: template: template:1:2: executing "template" at <.peername>: map has no entry for key "peername" (set the values in CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG)`},
		"a value is missing":      {`{"address":"cc:1","tls_required":true,"root_cert":"{{.root}}"}`, `{"other":"secret"}`, `rendering "root_cert" of connection.json: template: `},
		"a broken template":       {`{"address":"{{.x"}`, `{}`, `rendering "address" of connection.json: template: template:1: unclosed action`},
		"a loop":                  {`{"address":"{{range 9223372036854775807}}{{end}}"}`, `{}`, `rendering "address" of connection.json: "{{range 9223372036854775807}}{{end}}" is not supported: expected fields, literals, if, else, with, and, or, not, eq, ne and index`},
		"a huge file":             {`{"address":"cc:1"}` + strings.Repeat(" ", metadata.MaxFile), "", "reading SOURCE/connection.json: the file is larger than 16 MiB"},
		"values are not JSON":     {`{"address":"cc:1"}`, `{"key":"secret`, "variable CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG: invalid value: expected a JSON object"},
		"values are a list":       {`{"address":"cc:1"}`, `["secret"]`, "variable CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG: invalid value: expected a JSON object"},
		"a text is no bool":       {`{"address":"cc:1","tls_required":"{{.tls}}"}`, `{"tls":true}`, "reading SOURCE/connection.json: parsing JSON: line 1: "},
		"no port in the value":    {`{"address":"{{.host}}"}`, `{"host":"secret"}`, `checking connection.json: invalid "address" "{{.host}}": expected host:port`},
		"no port in the package":  {`{"address":"cc"}`, `{"host":"secret"}`, `checking connection.json: invalid "address" "cc": expected host:port`},
		"a bad time in the value": {`{"address":"cc:1","dial_timeout":"{{.x}}"}`, `{"x":"secret"}`, `checking connection.json: invalid "dial_timeout" "{{.x}}": expected a duration such as 10s`},
		"an empty value":          {`{"address":"cc:1","tls_required":true,"root_cert":"{{.root}}"}`, `{"root":""}`, `checking connection.json: "root_cert" is missing: it is required because "tls_required" is true`},
		"a false certificate":     {full(fake, certificate, key), "", `checking connection.json: "root_cert" is not an X.509 certificate`},
		"another one's key":       {full(certificate, certificate, otherKey), "", `checking connection.json: "client_cert" is not an X.509 certificate with the key in "client_key"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d := serviceDirs(t, test.connection)
			status, stderr := d.run(t, serviceConfig+"="+test.values, noEngine)
			assert.Equal(t, 1, status)
			stderr = strings.ReplaceAll(stderr, d.source, "SOURCE")
			assert.True(t, strings.HasPrefix(stderr, "[ERROR] build: "+test.want), stderr)
			assert.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
			assert.NotContains(t, stderr, "secret")
			assert.NotContains(t, stderr, "PRIVATE KEY")
			assert.Empty(t, tree(t, d.output))
		})
	}
	d := newDirs(t, `{"type":"external","label":"basic_1.0"}`)
	status, stderr := d.run(t, noEngine)
	assert.Equal(t, 1, status)
	assert.Equal(t, "[ERROR] build: reading "+d.source+"/connection.json: no such file or directory: label=basic_1.0\n", stderr)
}

// An operator reads in the log where the peer will connect to, and never a key.
func TestTheAddressOfAServiceIsLogged(t *testing.T) {
	certificate, key := pair(t)
	values := serviceConfig + "=" + asJSON(t, map[string]any{"peername": "peer0", "root": certificate, "key": key})
	d := serviceDirs(t, `{"address":"{{.peername}}_basic:9999","tls_required":true,"root_cert":"{{.root}}","client_auth_required":true,`+
		`"client_cert":"{{.root}}","client_key":"{{.key}}"}`)
	status, stderr := d.run(t, values, noEngine)
	require.Zero(t, status, stderr)
	assert.Equal(t, "[INFO]  build: connection.json written: the peer connects to the chaincode at this address: "+
		"label=basic_1.0 address=peer0_basic:9999 tls_required=true\n", stderr)

	d = serviceDirs(t, `{"address":"{{.key}}:1"}`)
	status, stderr = d.run(t, values, noEngine)
	assert.Equal(t, 1, status)
	assert.NotContains(t, stderr, "BEGIN")
	assert.Contains(t, stderr, `invalid "address" "{{.key}}:1"`)
}

func TestATimeoutOfNanosecondsIsWarnedOf(t *testing.T) {
	d := serviceDirs(t, `{"address":"cc:1","dial_timeout":10}`)
	status, stderr := d.run(t, noEngine)
	require.Zero(t, status, stderr)
	assert.Contains(t, stderr, "[WARN]  build: the peer will give up at once when it connects to the chaincode: dial_timeout in connection.json is shorter than 1ms; "+
		"a number without a unit counts nanoseconds: set a duration such as 10s: label=basic_1.0\n")
	d = serviceDirs(t, `{"address":"cc:1","dial_timeout":"10s"}`)
	_, stderr = d.run(t, noEngine)
	assert.NotContains(t, stderr, "[WARN]")
}

// Fabric's documentation of external services packs an index like this.
func TestTheIndexBesideConnectionJSONIsWritten(t *testing.T) {
	const in = "metadata/statedb/couchdb/indexes/owner.json"
	d := newDirs(t, `{"type":"external","label":"basic_1.0"}`, in)
	write(t, filepath.Join(d.source, "connection.json"), `{"address":"cc.example.com:9999","dial_timeout":"10s","tls_required":false}`)
	status, stderr := d.run(t, noEngine)
	require.Zero(t, status, stderr)
	assert.Equal(t, []string{"META-INF/statedb/couchdb/indexes/owner.json", "build-record.json", "connection.json"}, tree(t, d.output))
	assert.NotContains(t, stderr, "[WARN]")

	d = serviceDirs(t, `{"address":"cc:1"}`)
	write(t, filepath.Join(d.source, in), `{"index":{}}`)
	status, stderr = d.run(t, noEngine)
	require.Zero(t, status, stderr)
	assert.Equal(t, "{}", read(t, filepath.Join(d.output, "META-INF/statedb/couchdb/indexes/owner.json")), "META-INF wins")
	assert.Contains(t, stderr, "[WARN]  build: the package has indexes in two places: those in META-INF/statedb are used: label=basic_1.0 ignored=metadata/statedb\n")
}
