// SPDX-License-Identifier: Apache-2.0

// Package engine connects to the container engine that the operator's settings name.
package engine

import (
	"context"
	"fmt"
	"os"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/regular"
)

// Connect returns a client for the engine that the settings name, after the engine has answered. Its error names the
// endpoint, the reason and the setting that changes the endpoint. The caller must close the client.
func Connect(ctx context.Context, settings config.Settings) (*docker.Engine, error) {
	files := settings.VM.Docker.TLS
	if err := checkFiles(files.CA.File, files.Cert.File, files.Key.File); err != nil {
		return nil, err
	}
	protection := docker.TLS{Enabled: files.Enabled, CA: files.CA.File, Cert: files.Cert.File, Key: files.Key.File}
	engine, err := docker.ConnectTLS(ctx, settings.VM.Endpoint, protection)
	if err != nil {
		return nil, settings.ExplainEndpoint(err)
	}
	return engine, nil
}

// checkFiles returns an error for what is there but not a regular file, such as a FIFO, which would be read for ever.
func checkFiles(paths ...string) error {
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil {
			if err := regular.Check(info); err != nil {
				return fmt.Errorf("reading the engine's TLS file %s (see vm.docker.tls): %w", path, err)
			}
		}
	}
	return nil
}
