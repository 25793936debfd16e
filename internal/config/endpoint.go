package config

import (
	"fmt"
	"os"
)

// sockets lists the default sockets of an engine: the usual one, and the one that Fabric's test network mounts into the
// peer's container.
var sockets = []string{"/var/run/docker.sock", "/host/var/run/docker.sock"}

// chooseEndpoint sets an empty endpoint to DOCKER_HOST, or else to the first default socket that exists. Operators empty
// vm.endpoint to switch the peer's built-in controller off, so an empty value means the default here.
func (s *Settings) chooseEndpoint(environ []string) {
	if s.VM.Endpoint != "" {
		return
	}
	if host := Lookup(environ, "DOCKER_HOST"); host != "" {
		s.VM.Endpoint, s.endpointSource = host, "DOCKER_HOST"
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

// ExplainEndpoint wraps an error from connecting to the engine. It adds where the endpoint comes from and how to change
// it.
func (s Settings) ExplainEndpoint(err error) error {
	return fmt.Errorf("%w (endpoint from %s; to change it set vm.endpoint in config.yaml beside bin/, or CORE_VM_ENDPOINT)", err, s.endpointSource)
}
