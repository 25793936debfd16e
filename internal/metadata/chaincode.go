package metadata

import (
	"fmt"
	"path/filepath"
	"strings"
)

// ChaincodeFile is the file in RUN_METADATA_DIR that describes a launch.
const ChaincodeFile = "chaincode.json"

// Chaincode is what chaincode.json says: one launch of one chaincode. The certificates are new at every launch.
type Chaincode struct {
	ID          string `json:"chaincode_id"` // label:sha256hex, or name:version of the 1.x lifecycle
	PeerAddress string `json:"peer_address"` // host:port; with TLS the server certificate's only name is that host
	MSPID       string `json:"mspid"`        // absent before Fabric 2.0.0
	ClientCert  string `json:"client_cert"`  // PEM; the three are empty when TLS is off
	ClientKey   string `json:"client_key"`
	RootCert    string `json:"root_cert"`
}

// ReadChaincode reads and checks chaincode.json of RUN_METADATA_DIR.
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

// TLS says whether the peer expects the chaincode to connect with TLS.
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
		return fmt.Errorf("half a TLS configuration: %s without %s; with TLS all three are set, without it none",
			strings.Join(set, " and "), strings.Join(missing, " and "))
	}
	return nil
}
