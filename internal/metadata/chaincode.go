// SPDX-License-Identifier: Apache-2.0

package metadata

import (
	"fmt"
	"path/filepath"
	"strings"
)

// ChaincodeFile is the name of the file in RUN_METADATA_DIR that describes a launch.
const ChaincodeFile = "chaincode.json"

// Chaincode holds the fields of chaincode.json, which describe one launch of one chaincode. The peer issues new
// certificates for every launch.
type Chaincode struct {
	ID          string `json:"chaincode_id"` // label:hash (SHA-256 in hex), or name:version in the 1.x lifecycle
	PeerAddress string `json:"peer_address"` // host:port; with TLS, the server certificate is valid for that host only
	MSPID       string `json:"mspid"`        // empty before Fabric 2.0.0
	ClientCert  string `json:"client_cert"`  // PEM, like the two below; all three are empty when TLS is off
	ClientKey   string `json:"client_key"`
	RootCert    string `json:"root_cert"`
}

// ReadChaincode reads chaincode.json in RUN_METADATA_DIR and checks it. Its errors never contain a key.
func ReadChaincode(runMetadataDir string) (Chaincode, error) {
	path := filepath.Join(runMetadataDir, ChaincodeFile)
	var c Chaincode
	if err := readJSON(path, &c); err != nil {
		return Chaincode{}, err
	}
	if err := c.check(); err != nil {
		return Chaincode{}, fmt.Errorf("reading %s: %w", path, err)
	}
	return c, nil
}

// TLS reports whether the peer expects the chaincode to connect with TLS.
func (c Chaincode) TLS() bool { return c.ClientCert != "" }

func (c Chaincode) check() error {
	if c.ID == "" {
		return fmt.Errorf("%q is missing", "chaincode_id")
	}
	if c.PeerAddress == "" {
		return fmt.Errorf("%q is missing", "peer_address")
	}
	var set, missing []string
	for _, field := range []struct{ name, value string }{
		{"client_cert", c.ClientCert}, {"client_key", c.ClientKey}, {"root_cert", c.RootCert},
	} {
		if field.value == "" {
			missing = append(missing, field.name)
		} else {
			set = append(set, field.name)
		}
	}
	if len(set) > 0 && len(missing) > 0 {
		return fmt.Errorf("incomplete TLS configuration: has %s but lacks %s; expected all three or none",
			strings.Join(set, " and "), strings.Join(missing, " and "))
	}
	return nil
}
