// SPDX-License-Identifier: Apache-2.0

package metadata_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
)

// secret stands for a key in chaincode.json. No error may contain it.
const secret = "MIGHAgEAMBMGByqGSM49"

func TestReadChaincode(t *testing.T) {
	tls := metadata.Chaincode{
		ID: "basic_1.0:0123abc", PeerAddress: "peer0.org1.example.com:7052", MSPID: "Org1MSP",
		ClientCert: "-----BEGIN CERTIFICATE-----\n", ClientKey: "-----BEGIN EC PRIVATE KEY-----\n", RootCert: "-----BEGIN CERTIFICATE-----\n",
	}
	tests := map[string]struct {
		json string
		want metadata.Chaincode
		tls  bool
	}{
		"with TLS": {encode(t, tls), tls, true},
		"with TLS off, the PEM fields are empty strings": {
			`{"chaincode_id":"basic_1.0:0123abc","peer_address":"peer:7052","client_cert":"","client_key":"","root_cert":"","mspid":"Org1MSP"}`,
			metadata.Chaincode{ID: "basic_1.0:0123abc", PeerAddress: "peer:7052", MSPID: "Org1MSP"}, false,
		},
		"before 2.0.0 there was no mspid": {
			`{"chaincode_id":"basic_1.0:0123abc","peer_address":"peer:7052"}`,
			metadata.Chaincode{ID: "basic_1.0:0123abc", PeerAddress: "peer:7052"}, false,
		},
		"an ID of the 1.x lifecycle, and unknown keys": {
			`{"chaincode_id":"mycc:1.0","peer_address":"127.0.0.1:7052","more":[1]}`,
			metadata.Chaincode{ID: "mycc:1.0", PeerAddress: "127.0.0.1:7052"}, false,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			chaincode, err := metadata.ReadChaincode(dirWith(t, metadata.ChaincodeFile, test.json))
			require.NoError(t, err)
			assert.Equal(t, test.want, chaincode)
			assert.Equal(t, test.tls, chaincode.TLS())
		})
	}
}

func TestReadChaincodeWithIncompleteTLSConfiguration(t *testing.T) {
	tests := map[string]string{ // which of cert, key and root are set
		"c--": "has client_cert but lacks client_key and root_cert",
		"-k-": "has client_key but lacks client_cert and root_cert",
		"--r": "has root_cert but lacks client_cert and client_key",
		"ck-": "has client_cert and client_key but lacks root_cert",
		"c-r": "has client_cert and root_cert but lacks client_key",
		"-kr": "has client_key and root_cert but lacks client_cert",
	}
	for set, want := range tests {
		t.Run(set, func(t *testing.T) {
			chaincode := metadata.Chaincode{ID: "a:b", PeerAddress: "peer:7052"}
			for i, field := range []*string{&chaincode.ClientCert, &chaincode.ClientKey, &chaincode.RootCert} {
				if set[i] != '-' {
					*field = secret
				}
			}
			dir := dirWith(t, metadata.ChaincodeFile, encode(t, chaincode))
			_, err := metadata.ReadChaincode(dir)
			assert.EqualError(t, err, fmt.Sprintf("reading %s: incomplete TLS configuration: %s; expected all three or none",
				filepath.Join(dir, metadata.ChaincodeFile), want))
		})
	}
}

func TestReadInvalidChaincodeNeverShowsAKey(t *testing.T) {
	tests := map[string]struct{ json, want string }{
		"empty":                    {"", "the file is empty"},
		"no id":                    {`{"peer_address":"p:1","client_key":"` + secret + `"}`, `"chaincode_id" is missing`},
		"no address":               {`{"chaincode_id":"a:b","client_key":"` + secret + `"}`, `"peer_address" is missing`},
		"null":                     {`null`, `"chaincode_id" is missing`},
		"cut off inside the key":   {`{"chaincode_id":"a:b",` + "\n" + `"client_key":"` + secret, "line 2: unexpected end of JSON input"},
		"broken after the key":     {`{"client_key":"` + secret + `"` + "\n" + `x}`, "line 2: invalid character 'x' after object key:value pair"},
		"a raw newline in the key": {`{"client_key":"` + secret + "\n" + secret + `"}`, `line 1: invalid character '\n' in string literal`},
		"the key in a list":        {`{"client_key":["` + secret + `"]}`, "line 1: json: cannot unmarshal array into Go struct field Chaincode.client_key of type string"},
		"the key alone":            {`"` + secret + `"`, "line 1: json: cannot unmarshal string into Go value of type metadata.Chaincode"},
		"the key as a number":      {`{"client_key":8765432109876}`, "line 1: json: cannot unmarshal number into Go struct field Chaincode.client_key of type string"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := dirWith(t, metadata.ChaincodeFile, test.json)
			_, err := metadata.ReadChaincode(dir)
			require.Error(t, err)
			assert.True(t, strings.HasPrefix(err.Error(), "reading "+filepath.Join(dir, metadata.ChaincodeFile)+": "), err)
			assert.True(t, strings.HasSuffix(err.Error(), test.want), err)
			assert.NotContains(t, err.Error(), secret)
			assert.NotContains(t, err.Error(), "8765432109876")
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestReadMissingChaincode(t *testing.T) {
	dir := t.TempDir()
	_, err := metadata.ReadChaincode(dir)
	assert.EqualError(t, err, "reading "+filepath.Join(dir, "chaincode.json")+": no such file or directory")
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func encode(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return string(data)
}
