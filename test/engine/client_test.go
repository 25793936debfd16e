// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// serve returns a client of an engine that gives every call the same answer, on a Unix socket.
func serve(t *testing.T, status int, body string) *Client {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	client, err := NewClient("unix://" + socket)
	require.NoError(t, err)
	t.Cleanup(client.http.CloseIdleConnections)
	return client
}

func TestAnEnginesErrorCarriesItsMessage(t *testing.T) {
	client := serve(t, 404, `{"message":"No such image: x"}`)
	err := client.Get(t.Context(), "/images/x/json", &struct{}{})
	assert.EqualError(t, err, "No such image: x (HTTP 404)")
	assert.True(t, NotFound(err))
	assert.NoError(t, client.Delete(t.Context(), "/images/x"), "gone is gone")
}

// Podman answers a failed pull with 200, and so does every engine once the stream has begun.
func TestAnErrorInsideOfAStreamIsFound(t *testing.T) {
	client := serve(t, 200, "{\"status\":\"Pulling\"}\n{\"error\":\"no route\",\"errorDetail\":{\"message\":\"no route\"}}\n")
	signs := 0
	err := client.Stream(t.Context(), "/images/create", nil, func() { signs++ })
	assert.EqualError(t, err, "no route")
	assert.Equal(t, 2, signs)
	assert.NoError(t, serve(t, 200, "{\"status\":\"sha256:00\"}\n").Stream(t.Context(), "/images/create", nil, nil))
}

func TestNewClientRefusesWhatItCannotSpeak(t *testing.T) {
	_, err := NewClient("ssh://machine")
	assert.ErrorContains(t, err, "neither unix:// nor tcp://")
}

func TestAnEngineThatIsNamedButDoesNotAnswerIsAnError(t *testing.T) {
	_, err := Ensure(t.Context(), Options{WorkDir: t.TempDir(), Host: "unix:///nowhere/docker.sock"})
	assert.ErrorContains(t, err, "unix:///nowhere/docker.sock")
}
