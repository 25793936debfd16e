// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/engine"
	"fabric-builder-docker/test/fakeengine"
)

func load(t *testing.T, environ ...string) config.Settings {
	t.Helper()
	settings, err := config.Load(t.TempDir(), environ)
	require.NoError(t, err)
	return settings
}

func TestConnectUsesTheEndpoint(t *testing.T) {
	fake := fakeengine.New(t)
	connected, err := engine.Connect(t.Context(), load(t, "CORE_VM_ENDPOINT="+fake.Host()))
	require.NoError(t, err)
	assert.Equal(t, fake.Host(), connected.Host())
	assert.NoError(t, connected.Close())
}

func TestConnectUsesTheTLSFiles(t *testing.T) {
	environ := []string{"CORE_VM_ENDPOINT=tcp://127.0.0.1:1", "CORE_VM_DOCKER_TLS_ENABLED=true"}
	_, err := engine.Connect(t.Context(), load(t, append(environ, "CORE_VM_DOCKER_TLS_CA_FILE=/no/ca")...))
	assert.ErrorContains(t, err, "reading the engine's certificate authority: open /no/ca: ")
	_, err = engine.Connect(t.Context(), load(t, append(environ, "CORE_VM_DOCKER_TLS_CERT_FILE=/no/cert", "CORE_VM_DOCKER_TLS_KEY_FILE=/no/key")...))
	assert.ErrorContains(t, err, "reading the client certificate /no/cert and key /no/key for the engine: ")
	_, err = engine.Connect(t.Context(), load(t, "CORE_VM_ENDPOINT=tcp://127.0.0.1:1", "CORE_VM_DOCKER_TLS_CA_FILE=/no/ca"))
	assert.True(t, docker.IsUnreachable(err), "TLS is off: %v", err)
}

// As Docker's own clients do.
func TestConnectUsesTheTLSFilesOfDockerHost(t *testing.T) {
	_, err := engine.Connect(t.Context(), load(t, "DOCKER_HOST=127.0.0.1:1", "DOCKER_TLS_VERIFY=1", "DOCKER_CERT_PATH=/no"))
	assert.ErrorContains(t, err, "preparing a client for tcp://127.0.0.1:1: reading the engine's certificate authority: open /no/ca.pem: ")
}

// Callers branch on the cause, and operators need the setting.
func TestConnectExplainsTheEndpoint(t *testing.T) {
	_, err := engine.Connect(t.Context(), load(t, "CORE_VM_ENDPOINT=unix:///no/socket"))
	assert.ErrorContains(t, err, "no container engine answers at unix:///no/socket: the socket does not exist (endpoint from CORE_VM_ENDPOINT; to change it set vm.endpoint ")
	assert.True(t, docker.IsUnreachable(err))
}

// Nobody writes to the FIFO, so every program would wait for ever.
func TestTLSFilesThatAreNotFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key.pem")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	for _, variable := range []string{"CA", "CERT", "KEY"} {
		_, err := engine.Connect(t.Context(), load(t, "CORE_VM_ENDPOINT=tcp://127.0.0.1:1", "CORE_VM_DOCKER_TLS_ENABLED=true",
			"CORE_VM_DOCKER_TLS_CERT_FILE=/no/cert", "CORE_VM_DOCKER_TLS_KEY_FILE=/no/key", "CORE_VM_DOCKER_TLS_"+variable+"_FILE="+path))
		assert.EqualError(t, err, "reading the engine's TLS file "+path+" (see vm.docker.tls): it is a FIFO, not a regular file", variable)
	}
}
