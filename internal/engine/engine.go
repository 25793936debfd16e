// Package engine connects to the container engine that the operator's settings name.
package engine

import (
	"context"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/docker"
)

// Connect returns a client for the engine that the settings name, after the engine has answered. Its error names the
// endpoint, the reason and the setting that changes the endpoint. The caller must close the client.
func Connect(ctx context.Context, settings config.Settings) (*docker.Engine, error) {
	files := settings.VM.Docker.TLS
	protection := docker.TLS{Enabled: files.Enabled, CA: files.CA.File, Cert: files.Cert.File, Key: files.Key.File}
	engine, err := docker.ConnectTLS(ctx, settings.VM.Endpoint, protection)
	if err != nil {
		return nil, settings.ExplainEndpoint(err)
	}
	return engine, nil
}
