package metadata_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
)

const (
	certificate = "-----BEGIN CERTIFICATE-----\nYQ==\n-----END CERTIFICATE-----\n"
	privateKey  = "-----BEGIN EC PRIVATE KEY-----\nc2VjcmV0\n-----END EC PRIVATE KEY-----\n"
)

func connection(t *testing.T, content string) (metadata.Connection, error) {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "connection.json"), []byte(content), 0o600))
	return metadata.ReadConnection(dir)
}

// writtenConnection is what Write leaves.
func writtenConnection(t *testing.T, c metadata.Connection) map[string]any {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, c.Write(dir))
	info, err := os.Stat(filepath.Join(dir, "connection.json"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode(), "there may be a key in it")
	data, err := os.ReadFile(filepath.Join(dir, "connection.json"))
	require.NoError(t, err)
	var all map[string]any
	require.NoError(t, json.Unmarshal(data, &all))
	return all
}

func TestConnection(t *testing.T) {
	tests := map[string]struct {
		content string
		want    map[string]any
	}{
		"the least":         {`{"address":"cc.example.com:9999"}`, map[string]any{"address": "cc.example.com:9999", "tls_required": false}},
		"a time as text":    {`{"address":"cc:1","dial_timeout":"10s"}`, map[string]any{"address": "cc:1", "dial_timeout": "10s", "tls_required": false}},
		"a time as number":  {`{"address":"cc:1","dial_timeout":1.5e10}`, map[string]any{"address": "cc:1", "dial_timeout": "15s", "tls_required": false}},
		"no time":           {`{"address":"cc:1","dial_timeout":""}`, map[string]any{"address": "cc:1", "tls_required": false}},
		"an IPv6 address":   {`{"address":"[::1]:9999"}`, map[string]any{"address": "[::1]:9999", "tls_required": false}},
		"fields of others":  {`{"address":"cc:1","domain":"cc","x":{"y":[1]},"z":null}`, map[string]any{"address": "cc:1", "domain": "cc", "x": map[string]any{"y": []any{1.0}}, "z": nil, "tls_required": false}},
		"keys in capitals":  {`{"Address":"cc:1","TLS_REQUIRED":false}`, map[string]any{"address": "cc:1", "tls_required": false}},
		"keys without TLS":  {`{"address":"cc:1","root_cert":"x"}`, map[string]any{"address": "cc:1", "tls_required": false, "root_cert": "x"}},
		"null is not there": {`{"address":"cc:1","dial_timeout":null,"client_key":null}`, map[string]any{"address": "cc:1", "tls_required": false}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := connection(t, test.content)
			require.NoError(t, err)
			require.NoError(t, c.Check())
			assert.Equal(t, test.want, writtenConnection(t, c))
		})
	}
}

func TestConnectionWithTLS(t *testing.T) {
	content, err := json.Marshal(map[string]any{
		"address": "cc:1", "tls_required": true, "client_auth_required": true, "domain": "cc",
		"root_cert": certificate + certificate, "client_cert": certificate, "client_key": privateKey,
	})
	require.NoError(t, err)
	c, err := connection(t, string(content))
	require.NoError(t, err)
	require.NoError(t, c.Check())
	var want map[string]any
	require.NoError(t, json.Unmarshal(content, &want))
	assert.Equal(t, want, writtenConnection(t, c))
}

func TestAConnectionThatLeadsNowhere(t *testing.T) {
	tests := map[string]struct{ content, want string }{
		"no address":          {`{}`, `checking connection.json: "address" is missing: expected host:port`},
		"no port":             {`{"address":"cc"}`, `checking connection.json: "address" is "cc": expected host:port`},
		"no host":             {`{"address":":9999"}`, `"address" is ":9999": expected host:port`},
		"a port by name":      {`{"address":"cc:grpc"}`, `"address" is "cc:grpc": expected host:port`},
		"a port out of range": {`{"address":"cc:99999"}`, `"address" is "cc:99999": expected host:port`},
		"a URL":               {`{"address":"grpc://cc:9999"}`, `"address" is "grpc://cc:9999": expected host:port`},
		"a time without unit": {`{"address":"cc:1","dial_timeout":"10"}`, `"dial_timeout" is "10": expected a duration such as 10s`},
		"a negative time":     {`{"address":"cc:1","dial_timeout":-1}`, `"dial_timeout" is "-1ns": expected a duration such as 10s`},
		"TLS without a root":  {`{"address":"cc:1","tls_required":true}`, `"root_cert" is missing, and "tls_required" is true`},
		"a root that is none": {`{"address":"cc:1","tls_required":true,"root_cert":"x"}`, `"root_cert" holds no certificate in PEM`},
		"half a set":          {`{"address":"cc:1","tls_required":true,"client_auth_required":true,"root_cert":"ROOT","client_key":"KEY"}`, `"client_cert" is missing, and "client_auth_required" is true`},
		"the other half":      {`{"address":"cc:1","tls_required":true,"client_auth_required":true,"root_cert":"ROOT","client_cert":"ROOT"}`, `"client_key" is missing, and "client_auth_required" is true`},
		"mixed up":            {`{"address":"cc:1","tls_required":true,"client_auth_required":true,"root_cert":"ROOT","client_cert":"KEY","client_key":"ROOT"}`, `"client_key" holds no private key in PEM`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			content := strings.NewReplacer("ROOT", escape(certificate), "KEY", escape(privateKey)).Replace(test.content)
			c, err := connection(t, content)
			require.NoError(t, err)
			err = c.Check()
			require.ErrorContains(t, err, test.want)
			assert.NotContains(t, err.Error(), "c2VjcmV0")
		})
	}
}

// escape is a text inside a JSON string.
func escape(text string) string { return strings.ReplaceAll(text, "\n", `\n`) }

func TestAConnectionThatIsNoJSON(t *testing.T) {
	for content, want := range map[string]string{
		"":                            "the file is empty",
		"{":                           "line 1: unexpected end of JSON input",
		"{\n\"address\": 1}":          "line 2: ",
		`{"dial_timeout":true}`:       "not the JSON expected here",
		`{"tls_required":"{{.tls}}"}`: "not the JSON expected here",
		"[]":                          "not the JSON expected here",
	} {
		_, err := connection(t, content)
		assert.ErrorContains(t, err, want, content)
		assert.ErrorContains(t, err, "connection.json: ")
	}
	_, err := metadata.ReadConnection(t.TempDir())
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestRenderAConnection(t *testing.T) {
	const content = `{"address":"a","domain":"b","dial_timeout":"c","root_cert":"d","client_cert":"e","client_key":"f","other":"g","client_auth_required":true`
	double := func(text string) (string, error) { return text + text, nil }

	plain, err := connection(t, content+"}")
	require.NoError(t, err)
	plain, err = plain.Render(double)
	require.NoError(t, err)
	assert.Equal(t, map[string]any{"address": "aa", "domain": "bb", "dial_timeout": "cc", "other": "g", "tls_required": false}, writtenConnection(t, plain),
		"without TLS what belongs to it is neither rendered nor kept")

	secure, err := connection(t, content+`,"tls_required":true}`)
	require.NoError(t, err)
	secure, err = secure.Render(double)
	require.NoError(t, err)
	assert.Equal(t, map[string]any{
		"address": "aa", "domain": "bb", "dial_timeout": "cc", "root_cert": "dd", "client_cert": "ee", "client_key": "ff",
		"other": "g", "tls_required": true, "client_auth_required": true,
	}, writtenConnection(t, secure))

	_, err = secure.Render(func(text string) (string, error) {
		if text == "ee" {
			return "", errors.New("no key")
		}
		return text, nil
	})
	assert.EqualError(t, err, `rendering "client_cert" of connection.json: no key`)
}
