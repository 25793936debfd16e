// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// sockets lists the default sockets of an engine: the usual one, and the one that Fabric's test network mounts into the
// peer's container.
var sockets = []string{"/var/run/docker.sock", "/host/var/run/docker.sock"}

// chooseEndpoint sets an empty endpoint to DOCKER_HOST, or else to the first default socket that exists. Operators empty
// vm.endpoint to switch the peer's built-in controller off, so an empty value means the default here.
func (l *loader) chooseEndpoint(environ []string) {
	s := &l.settings
	if s.VM.Endpoint != "" {
		s.VM.Endpoint, s.endpointSource = withScheme(s.VM.Endpoint), l.sources["vm.endpoint"].where
		return
	}
	if host := Lookup(environ, "DOCKER_HOST"); host != "" {
		s.VM.Endpoint, s.endpointSource = withScheme(host), "DOCKER_HOST"
		l.chooseTLS(environ)
		return
	}
	s.VM.Endpoint, s.endpointSource = "unix://"+sockets[0], "the default"
	for _, socket := range sockets {
		if _, err := os.Stat(socket); err == nil {
			s.VM.Endpoint = "unix://" + socket
			return
		}
	}
}

// withScheme returns an endpoint with tcp:// before a mere host:port, which is what older peers and Docker's clients make of
// it.
func withScheme(endpoint string) string {
	host, port, err := net.SplitHostPort(endpoint)
	if number, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil || host == "" || number == 0 {
		return endpoint
	}
	return "tcp://" + endpoint
}

// chooseTLS sets the TLS files for DOCKER_HOST from DOCKER_TLS_VERIFY and DOCKER_CERT_PATH, unless a setting decides about TLS.
// As for Docker's command line, the directory is .docker in the user's home if only the first is set, and a client certificate
// is optional. The engine's certificate is always verified.
func (l *loader) chooseTLS(environ []string) {
	dir, verify := Lookup(environ, "DOCKER_CERT_PATH"), Lookup(environ, "DOCKER_TLS_VERIFY")
	tls, enabled := &l.settings.VM.Docker.TLS, l.sources["vm.docker.tls.enabled"]
	if dir == "" && verify == "" || tls.Enabled || enabled.where != "" && !enabled.core {
		return
	}
	*tls = TLS{Enabled: true}
	if dir == "" {
		dir = dockerDir(environ)
	}
	if dir == "" {
		return // the authorities of the system
	}
	tls.CA.File = filepath.Join(dir, "ca.pem")
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if _, err := os.Stat(cert); err == nil {
		tls.Cert.File, tls.Key.File = cert, key
	}
}

// dockerDir returns the directory with the settings of Docker's command line, or an empty string if it is not known.
func dockerDir(environ []string) string {
	if dir := Lookup(environ, "DOCKER_CONFIG"); dir != "" {
		return dir
	}
	if home := Lookup(environ, "HOME"); home != "" {
		return filepath.Join(home, ".docker")
	}
	return ""
}

// ExplainEndpoint wraps an error from connecting to the engine. It adds where the endpoint comes from and how to change
// it.
func (s Settings) ExplainEndpoint(err error) error {
	return fmt.Errorf("%w (endpoint from %s; to change it set vm.endpoint in config.yaml beside bin/, or CORE_VM_ENDPOINT)", err, s.endpointSource)
}
