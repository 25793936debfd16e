package docker

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/docker/docker/client"
)

// TLS holds the TLS settings for an engine over TCP.
type TLS struct {
	Enabled bool   // use TLS; https:// endpoints always do
	CA      string // PEM file with the authorities to trust; empty: the system's
	Cert    string // PEM file with the client certificate; empty: none
	Key     string // PEM file with the key of Cert
}

// newClient returns a client for an endpoint, with or without TLS. When the SDK opens the raw connection of an attach, it
// knows only unix and tcp, so http and https become tcp.
func newClient(host string, tlsOptions TLS) (*client.Client, error) {
	scheme, address, _ := strings.Cut(host, "://")
	if scheme == "http" || scheme == "https" {
		host = "tcp://" + address
	}
	options := []client.Opt{client.WithHost(host), client.WithAPIVersionNegotiation()}
	if scheme == "https" || tlsOptions.Enabled && scheme != "unix" {
		config, err := tlsOptions.config()
		if err != nil {
			return nil, err
		}
		transport := &http.Transport{TLSClientConfig: config, MaxIdleConns: 6, IdleConnTimeout: 30 * time.Second}
		// This option must precede WithHost, which sets the transport's dialer.
		options = append([]client.Opt{client.WithHTTPClient(&http.Client{Transport: transport, CheckRedirect: client.CheckRedirect})}, options...)
	}
	return client.NewClientWithOpts(options...)
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
