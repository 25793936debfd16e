// SPDX-License-Identifier: Apache-2.0

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

// writtenConnection returns the JSON that Write writes.
func writtenConnection(t *testing.T, c metadata.Connection) map[string]any {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, c.Write(dir))
	info, err := os.Stat(filepath.Join(dir, "connection.json"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode(), "it may contain a key")
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
		"minimal":           {`{"address":"cc.example.com:9999"}`, map[string]any{"address": "cc.example.com:9999", "tls_required": false}},
		"a time as string":  {`{"address":"cc:1","dial_timeout":"10s"}`, map[string]any{"address": "cc:1", "dial_timeout": "10s", "tls_required": false}},
		"a time as number":  {`{"address":"cc:1","dial_timeout":1.5e10}`, map[string]any{"address": "cc:1", "dial_timeout": "15s", "tls_required": false}},
		"no time":           {`{"address":"cc:1","dial_timeout":""}`, map[string]any{"address": "cc:1", "tls_required": false}},
		"an IPv6 address":   {`{"address":"[::1]:9999"}`, map[string]any{"address": "[::1]:9999", "tls_required": false}},
		"unknown fields":    {`{"address":"cc:1","domain":"cc","x":{"y":[1]},"z":null}`, map[string]any{"address": "cc:1", "domain": "cc", "x": map[string]any{"y": []any{1.0}}, "z": nil, "tls_required": false}},
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

func TestCheckOfAnInvalidConnection(t *testing.T) {
	tests := map[string]struct{ content, want string }{
		"no address":          {`{}`, `checking connection.json: "address" is missing: expected host:port`},
		"no port":             {`{"address":"cc"}`, `checking connection.json: invalid "address": expected host:port`},
		"a time without unit": {`{"address":"cc:1","dial_timeout":"10"}`, `invalid "dial_timeout": expected a duration such as 10s`},
		"a negative time":     {`{"address":"cc:1","dial_timeout":-1}`, `invalid "dial_timeout": expected a duration such as 10s`},
		"TLS without a root":  {`{"address":"cc:1","tls_required":true}`, `"root_cert" is missing: it is required because "tls_required" is true`},
		"an invalid root":     {`{"address":"cc:1","tls_required":true,"root_cert":"x"}`, `"root_cert" contains no PEM certificate`},
		"a key without cert":  {`{"address":"cc:1","tls_required":true,"client_auth_required":true,"root_cert":"ROOT","client_key":"KEY"}`, `"client_cert" is missing: it is required because "client_auth_required" is true`},
		"a cert without key":  {`{"address":"cc:1","tls_required":true,"client_auth_required":true,"root_cert":"ROOT","client_cert":"ROOT"}`, `"client_key" is missing: it is required because "client_auth_required" is true`},
		"swapped":             {`{"address":"cc:1","tls_required":true,"client_auth_required":true,"root_cert":"ROOT","client_cert":"KEY","client_key":"ROOT"}`, `"client_key" contains no PEM private key`},
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

// escape returns text as it is written inside a JSON string.
func escape(text string) string { return strings.ReplaceAll(text, "\n", `\n`) }

func TestReadConnectionThatIsNotJSON(t *testing.T) {
	for content, want := range map[string]string{
		"":                            "the file is empty",
		"{":                           "line 1: unexpected end of JSON input",
		"{\n\"address\": 1}":          "line 2: ",
		`{"dial_timeout":true}`:       "parsing JSON",
		`{"tls_required":"{{.tls}}"}`: "parsing JSON",
		"[]":                          "parsing JSON",
		`{"dial_timeout":1e300}`:      `parsing JSON: "dial_timeout" is more than 292 years`,
	} {
		_, err := connection(t, content)
		assert.ErrorContains(t, err, want, content)
		assert.ErrorContains(t, err, "connection.json: ")
	}
	_, err := metadata.ReadConnection(t.TempDir())
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestRenderAConnection(t *testing.T) {
	const content = `{"address":":1","domain":"b","dial_timeout":"1s","root_cert":"d","client_cert":"e","client_key":"f","other":"g","client_auth_required":true`
	double := func(text string) (string, error) {
		if text == ":1" {
			return ":11", nil
		}
		return text + text, nil
	}

	plain, err := connection(t, content+"}")
	require.NoError(t, err)
	plain, err = plain.Render(double)
	require.NoError(t, err)
	assert.Equal(t, map[string]any{"address": ":11", "domain": "bb", "dial_timeout": "1s1s", "other": "g", "tls_required": false}, writtenConnection(t, plain),
		"without TLS, the TLS fields are dropped instead of rendered")

	secure, err := connection(t, content+`,"tls_required":true}`)
	require.NoError(t, err)
	secure, err = secure.Render(double)
	require.NoError(t, err)
	assert.Equal(t, map[string]any{
		"address": ":11", "domain": "bb", "dial_timeout": "1s1s", "root_cert": "dd", "client_cert": "ee", "client_key": "ff",
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

// What a template results in may be an operator's key.
func TestAnInvalidFieldIsShownAsThePackageHasIt(t *testing.T) {
	for content, want := range map[string]string{
		`{"address":"{{.a}}"}`:                            `checking connection.json: invalid "address" "{{.a}}": expected host:port`,
		`{"address":"A","dial_timeout":"{{.b}}"}`:         `checking connection.json: invalid "dial_timeout" "{{.b}}": expected a duration such as 10s`,
		`{"address":"` + strings.Repeat("{", 1000) + `"}`: `checking connection.json: invalid "address" "` + strings.Repeat("{", 100) + `": expected`,
	} {
		c, err := connection(t, content)
		require.NoError(t, err)
		_, err = c.Render(func(text string) (string, error) {
			if text == "A" {
				return "cc:1", nil
			}
			return "secret", nil
		})
		require.ErrorContains(t, err, want)
		assert.NotContains(t, err.Error(), "secret")
	}
}
