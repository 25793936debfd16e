// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// instance is a built chaincode. run is its newest run program.
type instance struct {
	packageID string
	build     Build
	run       *Process
}

// runConfig is the content of chaincode.json. Without TLS the three PEM fields are empty.
type runConfig struct {
	ChaincodeID string `json:"chaincode_id"`
	PeerAddress string `json:"peer_address"`
	ClientCert  string `json:"client_cert"`
	ClientKey   string `json:"client_key"`
	RootCert    string `json:"root_cert"`
	MSPID       string `json:"mspid"`
}

// run starts the run program, whose handle replaces an earlier one.
func (p *Peer) run(packageID string) (*Process, error) {
	p.mutex.Lock()
	instance := p.instances[packageID]
	p.mutex.Unlock()
	connection, err := instance.build.Connection()
	if err != nil {
		return nil, err
	}
	if connection != nil {
		return nil, fmt.Errorf("%w at %s", ErrServer, connection.Address)
	}
	dir, err := p.writeRunConfig(packageID)
	if err != nil {
		return nil, err
	}
	cleanup := func() { _ = os.RemoveAll(dir) }
	run, err := p.start(packageID, "run", cleanup, instance.build.Output, dir)
	if err != nil {
		cleanup()
		return nil, fmt.Errorf("error starting container: error starting container: could not execute run: builder '%s' run failed to start: %w", p.opts.BuilderName, err)
	}
	return run, nil
}

// writeRunConfig creates a RUN_METADATA_DIR, with new certificates.
func (p *Peer) writeRunConfig(packageID string) (string, error) {
	config := runConfig{ChaincodeID: packageID, PeerAddress: p.address, MSPID: p.opts.MSPID}
	if p.opts.TLS {
		pair, err := p.ca.clientPair()
		if err != nil {
			return "", err
		}
		p.clients.remember(pair.cert, packageID)
		config.ClientCert, config.ClientKey = string(pair.certPEM), string(pair.keyPEM)
		config.RootCert = strings.Repeat(p.RootCert(), p.opts.Roots)
	}
	raw, err := json.Marshal(config)
	if err != nil {
		return "", fmt.Errorf("encoding chaincode.json: %w", err)
	}
	dir, err := os.MkdirTemp(p.scratchDir(), "fabric-run")
	if err != nil {
		return "", fmt.Errorf("creating run directory: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "chaincode.json"), raw, 0o600); err != nil {
		_ = os.RemoveAll(dir)
		return "", fmt.Errorf("writing chaincode.json: %w", err)
	}
	return dir, nil
}
