package docker_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/docker"
)

// connectTo connects to an engine that answers a ping itself and every other call with the handler.
func connectTo(t *testing.T, handler http.HandlerFunc) *docker.Engine {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/_ping") {
			w.Header().Set("Api-Version", "1.41")
			return
		}
		handler(w, r)
	}))
	t.Cleanup(server.Close)
	t.Cleanup(server.CloseClientConnections)
	client, err := docker.Connect(t.Context(), "tcp://"+server.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	return client
}

func discard(string) {}

func TestCredentialsReachTheEngineInAHeaderOnly(t *testing.T) {
	tests := map[string]struct {
		credentials docker.Credentials
		want        map[string]string
	}{
		"none":              {docker.Credentials{Server: "registry.example.com"}, nil},
		"user and password": {docker.Credentials{User: "ada", Password: "s3cret", Server: "registry.example.com"}, map[string]string{"username": "ada", "password": "s3cret", "serveraddress": "registry.example.com"}},
		"an identity token": {docker.Credentials{IdentityToken: "t0ken", Server: "registry.example.com"}, map[string]string{"identitytoken": "t0ken", "serveraddress": "registry.example.com"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var header, query string
			client := connectTo(t, func(w http.ResponseWriter, r *http.Request) {
				header, query = r.Header.Get("X-Registry-Auth"), r.URL.RawQuery
			})
			require.NoError(t, client.Pull(t.Context(), docker.Pull{Ref: "registry.example.com/a:1", Credentials: test.credentials}, discard))
			assert.Equal(t, "fromImage=registry.example.com%2Fa&tag=1", query)
			var sent map[string]string
			if header != "" {
				text, err := base64.URLEncoding.DecodeString(header)
				require.NoError(t, err)
				require.NoError(t, json.Unmarshal(text, &sent))
			}
			assert.Equal(t, test.want, sent)
		})
	}
}

// A registry may repeat credentials in its errors.
func TestPullNeverShowsASecret(t *testing.T) {
	basic := base64.StdEncoding.EncodeToString([]byte("ada:s3cret"))
	client := connectTo(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"status":"asking with s3cret"}{"errorDetail":{"message":"refused: %s s3cret %s"}}`, r.Header.Get("X-Registry-Auth"), basic)
	})
	var lines []string
	err := client.Pull(t.Context(), docker.Pull{Ref: "a:1", Credentials: docker.Credentials{User: "ada", Password: "s3cret"}}, func(line string) { lines = append(lines, line) })
	require.ErrorContains(t, err, "refused: ")
	assert.NotContains(t, err.Error(), "s3cret")
	assert.NotContains(t, err.Error(), basic)
	assert.NotContains(t, err.Error(), base64.URLEncoding.EncodeToString([]byte(`{"username":"ada","password":"s3cret"}`)))
	assert.Equal(t, []string{"asking with ***"}, lines)
}

func TestPullIsCancelled(t *testing.T) {
	hang := func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	silent := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"status":"Pulling"}`)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	busy := func(w http.ResponseWriter, r *http.Request) {
		for tick := time.NewTicker(5 * time.Millisecond); ; {
			select {
			case <-r.Context().Done():
				tick.Stop()
				return
			case <-tick.C:
				fmt.Fprint(w, `{"status":"Downloading","id":"a","progressDetail":{"current":1,"total":2}}`)
				w.(http.Flusher).Flush()
			}
		}
	}
	const short, long = 100 * time.Millisecond, time.Minute
	tests := map[string]struct {
		engine              http.HandlerFunc
		timeout, inactivity time.Duration
		want                error
	}{
		"no answer":                 {hang, long, short, docker.ErrPullStalled},
		"no answer, but a time-out": {hang, short, long, docker.ErrPullTimeout},
		"no progress":               {silent, long, short, docker.ErrPullStalled},
		"progress for too long":     {busy, short, long, docker.ErrPullTimeout},
		"only a time-out":           {busy, short, 0, docker.ErrPullTimeout},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			client := connectTo(t, test.engine)
			err := client.Pull(t.Context(), docker.Pull{Ref: "a:1", Timeout: test.timeout, Inactivity: test.inactivity}, discard)
			require.ErrorIs(t, err, test.want)
			assert.ErrorContains(t, err, `pulling image "a:1": `)
		})
	}
	t.Run("a signal", func(t *testing.T) {
		stopped := errors.New("stopped by signal")
		ctx, cancel := context.WithCancelCause(t.Context())
		client := connectTo(t, func(w http.ResponseWriter, r *http.Request) {
			cancel(stopped)
			hang(w, r)
		})
		assert.ErrorIs(t, client.Pull(ctx, docker.Pull{Ref: "a:1", Timeout: long, Inactivity: long}, discard), stopped)
	})
}

func TestTagAndUntag(t *testing.T) {
	var calls []string
	client := connectTo(t, func(w http.ResponseWriter, r *http.Request) {
		calls = append(calls, r.Method+" "+r.URL.RequestURI())
		if r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"message":"no such image"}`)
			return
		}
		w.WriteHeader(http.StatusCreated)
	})
	require.NoError(t, client.Tag(t.Context(), "mirror.example.com/a:1", "a:1"))
	require.NoError(t, client.Untag(t.Context(), "mirror.example.com/a:1"), "the name is already gone")
	assert.Equal(t, []string{"POST /v1.41/images/mirror.example.com/a:1/tag?repo=docker.io%2Flibrary%2Fa&tag=1", "DELETE /v1.41/images/mirror.example.com/a:1?noprune=1"}, calls)
}
