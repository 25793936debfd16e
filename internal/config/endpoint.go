package config

import (
	"fmt"
	"os"
)

// sockets are where an engine listens when nobody says so: the usual place, and the one that a peer in a container of
// Fabric's test network has.
var sockets = []string{"/var/run/docker.sock", "/host/var/run/docker.sock"}

// chooseEndpoint fills an endpoint that is not set: DOCKER_HOST, then the first socket that is there. An empty
// vm.endpoint is how operators switch the peer's built-in controller off, so it means the default here.
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

// ExplainEndpoint adds to an error of the engine's connection where the endpoint comes from and what to set.
func (s Settings) ExplainEndpoint(err error) error {
	return fmt.Errorf("%w (endpoint from %s; to change it set vm.endpoint in config.yaml beside bin/, or CORE_VM_ENDPOINT)", err, s.endpointSource)
}
