package main

import (
	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/docker"
)

// protection is the way to the engine.
func protection(tls config.TLS) docker.TLS {
	return docker.TLS{Enabled: tls.Enabled, CA: tls.CA.File, Cert: tls.Cert.File, Key: tls.Key.File}
}
