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

// TLS protects the way to an engine over TCP. Its fields are PEM files.
type TLS struct {
	Enabled bool   // https:// is protected in any case
	CA      string // whom to trust; empty: the system's authorities
	Cert    string // the client certificate; empty: none
	Key     string // its key
}

// newClient prepares a client for an endpoint, over TLS or not. The SDK knows unix and tcp only when it opens the raw
// connections of attach, so http and https are said in those words.
func newClient(host string, protection TLS) (*client.Client, error) {
	scheme, address, _ := strings.Cut(host, "://")
	if scheme == "http" || scheme == "https" {
		host = "tcp://" + address
	}
	options := []client.Opt{client.WithHost(host), client.WithAPIVersionNegotiation()}
	if scheme == "https" || protection.Enabled && scheme != "unix" {
		config, err := protection.config()
		if err != nil {
			return nil, err
		}
		transport := &http.Transport{TLSClientConfig: config, MaxIdleConns: 6, IdleConnTimeout: 30 * time.Second}
		// Before WithHost, which sets the transport's dialer.
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
			return nil, fmt.Errorf("reading the engine's certificate authority: %s holds no PEM certificate", t.CA)
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
