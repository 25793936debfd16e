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
		"with functions": {`{"address":"{{if eq .port 9999.0}}{{printf \"%s:%d\" .peername 9999}}{{else}}{{with .nested}}{{.wait}}{{end}}{{end}}","tls_required":false}`,
			`{"address":"peer0:9999","tls_required":false}`},
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
		"a broken template":       {`{"address":"{{.x"}`, `{}`, `rendering "address" of connection.json: template: template:1: unclosed action (set the values in `},
		"a loop":                  {`{"address":"{{range 9223372036854775807}}{{end}}"}`, `{}`, `rendering "address" of connection.json: "{{range 9223372036854775807}}{{end}}" is not supported: expected values, conditions and simple functions`},
		"a loop in a branch":      {`{"address":"{{if .x}}a{{else}}{{with 1}}{{range .y}}{{end}}{{end}}{{end}}"}`, `{}`, `rendering "address" of connection.json: "{{range .y}}{{end}}" is not supported: expected values, conditions and simple functions`},
		"a variable":              {`{"address":"{{$x := .y}}{{$x = print $x $x}}"}`, `{"y":1}`, `rendering "address" of connection.json: "$x := .y" is not supported`},
		"a wide format":           {`{"address":"{{printf \"%1000000d\" 1}}"}`, `{}`, `rendering "address" of connection.json: "printf \"%1000000d\" 1" is not supported`},
		"a width by value":        {`{"address":"{{if eq 1 (len (printf \"%[1]*d\" 9))}}{{end}}"}`, `{}`, `rendering "address" of connection.json: "printf \"%[1]*d\" 9" is not supported`},
		"a format by value":       {`{"address":"{{.f | printf}}"}`, `{"f":"%9999d"}`, `rendering "address" of connection.json: "printf" is not supported`},
		"a function that doubles": {`{"address":"{{js (js .x)}}"}`, `{"x":"a"}`, `rendering "address" of connection.json: "js (js .x)" is not supported`},
		"a recursion":             {`{"address":"{{template \"template\"}}"}`, `{}`, `rendering "address" of connection.json: "{{template \"template\"}}" is not supported`},
		"a huge file":             {`{"address":"cc:1"}` + strings.Repeat(" ", metadata.MaxFile), "", "reading SOURCE/connection.json: the file is larger than 16 MiB"},
		"values are not JSON":     {`{"address":"cc:1"}`, `{"key":"secret`, "variable CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG: invalid value: expected a JSON object"},
		"values are a list":       {`{"address":"cc:1"}`, `["secret"]`, "variable CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG: invalid value: expected a JSON object"},
		"a text is no bool":       {`{"address":"cc:1","tls_required":"{{.tls}}"}`, `{"tls":true}`, "reading SOURCE/connection.json: parsing JSON: line 1: "},
		"no port in the value":    {`{"address":"{{.host}}"}`, `{"host":"cc"}`, `checking connection.json: invalid "address" "cc": expected host:port`},
		"an empty value":          {`{"address":"cc:1","tls_required":true,"root_cert":"{{.root}}"}`, `{"root":""}`, `checking connection.json: "root_cert" is missing: it is required because "tls_required" is true`},
		"a false certificate":     {full(fake, certificate, key), "", `checking connection.json: "root_cert" is not a certificate: x509: `},
		"another one's key":       {full(certificate, certificate, otherKey), "", `checking connection.json: "client_cert" and "client_key": private key does not match public key`},
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
