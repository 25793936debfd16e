// SPDX-License-Identifier: Apache-2.0

// Package registry is an image registry for tests, on loopback, with and without credentials, that misbehaves on
// demand. A Docker engine on the same machine needs no configuration for it, because loopback registries may go without
// TLS.
//
//	r := registry.Start(t, registry.WithCredentials("ada", "secret"))
//	digest := r.Push(t, "chaincodes/kv:1.0", registry.Image(t, registry.Content{Files: …, Entrypoint: …}))
//	… pull r.Ref("chaincodes/kv@"+digest)
//	r.Break(registry.Status(403))
package registry

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	server "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/require"
)

// Registry is a running registry. It is closed when the test ends.
type Registry struct {
	Host string // 127.0.0.1:PORT, the beginning of its images' names

	images http.Handler
	auth   authenticator
	closed context.Context

	mu       sync.Mutex
	fault    Fault
	requests []Request
}

// Request is a client's request.
type Request struct {
	Method string
	Path   string
	Status int    // of the answer; 0 before the answer
	User   string // of basic authentication, not checked
}

// Option configures a registry.
type Option func(*Registry)

// WithCredentials requires basic authentication with this user and password.
func WithCredentials(user, password string) Option {
	return func(r *Registry) { r.auth = basic{user, password} }
}

// WithIdentityToken requires an access token, which the registry's token service issues in exchange for the identity
// token. "docker login" stores an identity token for registries with OAuth.
func WithIdentityToken(token string) Option {
	return func(r *Registry) { r.auth = &oauth{registry: r, identity: token} }
}

// Start starts an empty registry.
func Start(t testing.TB, options ...Option) *Registry {
	t.Helper()
	closed, end := context.WithCancel(context.Background())
	silent := log.New(io.Discard, "", 0)
	r := &Registry{
		images: server.New(server.Logger(silent), server.WithBlobHandler(server.NewDiskBlobHandler(t.TempDir()))),
		closed: closed, auth: open{},
	}
	for _, option := range options {
		option(r)
	}
	listening := httptest.NewUnstartedServer(r)
	listening.Config.ErrorLog = silent // Faults cut answers on purpose.
	listening.Start()
	r.Host = strings.TrimPrefix(listening.URL, "http://")
	t.Cleanup(func() {
		end()
		listening.CloseClientConnections()
		listening.Close()
	})
	return r
}

// Ref returns the full name of an image in this registry, given as NAME:TAG or NAME@DIGEST.
func (r *Registry) Ref(image string) string { return r.Host + "/" + image }

// Push adds an image as NAME:TAG, bypassing credentials and faults, and returns its digest.
func (r *Registry) Push(t testing.TB, image string, content v1.Image) string {
	t.Helper()
	ref, err := name.ParseReference(r.Ref(image), name.Insecure)
	require.NoError(t, err)
	require.NoError(t, remote.Write(ref, content, remote.WithTransport(directTransport{r.images})))
	digest, err := content.Digest()
	require.NoError(t, err)
	return digest.String()
}

// directTransport calls the registry's handler directly, bypassing credentials and faults.
type directTransport struct{ images http.Handler }

func (b directTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	if request.Body == nil {
		request.Body = http.NoBody
	}
	b.images.ServeHTTP(recorder, request)
	response := recorder.Result()
	response.Request = request
	return response, nil
}

// ServeHTTP passes a request through the fault and the authentication to the images.
func (r *Registry) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	user, _, _ := request.BasicAuth()
	r.mu.Lock()
	fault, number := r.fault, len(r.requests)
	r.requests = append(r.requests, Request{Method: request.Method, Path: request.URL.Path, User: user})
	r.mu.Unlock()
	watched := &watchedWriter{ResponseWriter: w, status: func(status int) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.requests[number].Status = status
	}}
	guarded := http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) { r.auth.guard(r.images, w, request) })
	if fault == nil {
		guarded.ServeHTTP(watched, request)
		return
	}
	fault(r, guarded, watched, request)
}

// Requests returns all requests so far.
func (r *Registry) Requests() []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Request(nil), r.requests...)
}

// watchedWriter reports the status of an answer.
type watchedWriter struct {
	http.ResponseWriter
	status func(int)
	told   bool
}

func (w *watchedWriter) WriteHeader(status int) {
	if !w.told {
		w.told = true
		w.status(status)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *watchedWriter) Write(p []byte) (int, error) {
	if !w.told {
		w.told = true
		w.status(http.StatusOK)
	}
	return w.ResponseWriter.Write(p)
}

func (w *watchedWriter) Flush() {
	if flusher, ok := w.ResponseWriter.(http.Flusher); ok {
		flusher.Flush()
	}
}
