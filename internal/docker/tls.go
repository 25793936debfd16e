// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// TLS holds the TLS settings for an engine over TCP.
type TLS struct {
	Enabled bool   // use TLS; https:// endpoints always do
	CA      string // PEM file with the authorities to trust; empty: the system's
	Cert    string // PEM file with the client certificate; empty: none
	Key     string // PEM file with the key of Cert
}

func (t TLS) config() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CA != "" {
		data, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("reading the engine's certificate authority: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(data) {
			return nil, fmt.Errorf("reading the engine's certificate authority: %s contains no PEM certificate", t.CA)
		}
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("reading the client certificate %s and key %s for the engine: %w", t.Cert, t.Key, err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
