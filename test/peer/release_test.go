// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func release(t *testing.T, files map[string]string) Build {
	t.Helper()
	build := Build{Release: t.TempDir()}
	for name, body := range files {
		file := filepath.Join(build.Release, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
		require.NoError(t, os.WriteFile(file, []byte(body), 0o600))
	}
	return build
}

func TestThePeerFindsIndexes(t *testing.T) {
	build := release(t, map[string]string{
		"statedb/couchdb/indexes/owner.json":               "1",
		"statedb/couchdb/collections/c_1-x/indexes/a.json": "2",
		"statedb/couchdb/indexes/README":                   "no index",
		"statedb/couchdb/collections/c/x.json":             "no index",
		"other/indexes/x.json":                             "no index",
	})
	indexes, err := build.Indexes()
	require.NoError(t, err)
	assert.Equal(t, map[string][]byte{
		"statedb/couchdb/indexes/owner.json":               []byte("1"),
		"statedb/couchdb/collections/c_1-x/indexes/a.json": []byte("2"),
	}, indexes)

	require.NoError(t, os.Symlink("statedb", filepath.Join(build.Release, "link")))
	_, err = build.Indexes()
	assert.ErrorContains(t, err, "not a regular file")
}

func TestThePeerReadsConnectionJSON(t *testing.T) {
	tests := map[string]struct {
		json, err string
		timeout   time.Duration
	}{
		"address alone":        {json: `{"address":"a:1"}`, timeout: 3 * time.Second},
		"a duration":           {json: `{"address":"a:1","dial_timeout":"10s"}`, timeout: 10 * time.Second},
		"nanoseconds":          {json: `{"address":"a:1","dial_timeout":5000000000}`, timeout: 5 * time.Second},
		"TLS":                  {json: `{"address":"a:1","tls_required":true,"root_cert":"r"}`, timeout: 3 * time.Second},
		"no address":           {json: `{}`, err: "chaincode address not provided"},
		"a bad duration":       {json: `{"address":"a:1","dial_timeout":"ten"}`, err: "invalid duration"},
		"neither":              {json: `{"address":"a:1","dial_timeout":true}`, err: "invalid duration"},
		"TLS without a root":   {json: `{"address":"a:1","tls_required":true}`, err: "chaincode tls root cert not provided"},
		"client without key":   {json: `{"address":"a:1","tls_required":true,"root_cert":"r","client_auth_required":true}`, err: "chaincode tls key not provided"},
		"client without cert":  {json: `{"address":"a:1","tls_required":true,"root_cert":"r","client_auth_required":true,"client_key":"k"}`, err: "chaincode tls cert not provided"},
		"no JSON":              {json: `{`, err: "parsing connection.json"},
		"a number for address": {json: `{"address":1}`, err: "parsing connection.json"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			build := release(t, map[string]string{"chaincode/server/connection.json": test.json})
			connection, err := build.Connection()
			if test.err != "" {
				assert.ErrorContains(t, err, test.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, "a:1", connection.Address)
			assert.Equal(t, Duration(test.timeout), connection.DialTimeout)
		})
	}
	none, err := release(t, nil).Connection()
	assert.NoError(t, err)
	assert.Nil(t, none)
}
