// Package registry is an image registry of the tests' own, on loopback, with and without credentials, that misbehaves
// on demand. A Docker engine on the same machine takes it as it is: loopback registries need no TLS.
//
//	r := registry.Start(t, registry.WithCredentials("ada", "secret"))
//	digest := r.Push(t, "chaincodes/kv:1.0", registry.Image(registry.Content{Files: …, Entrypoint: …}))
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

// Registry is one registry. It ends with its test.
type Registry struct {
	Host string // 127.0.0.1:PORT, the first part of its images' names

	images http.Handler
	door   doorkeeper
	closed context.Context

	mu       sync.Mutex
	fault    Fault
	requests []Request
}

// Request is what a client has asked for.
type Request struct {
	Method string
	Path   string
	Status int    // of the answer; 0 while there is none
	User   string // who it said it is, without a check
}

// Option is a property of a registry.
type Option func(*Registry)

// WithCredentials lets in nobody but that user: basic authentication.
func WithCredentials(user, password string) Option {
	return func(r *Registry) { r.door = basic{user, password} }
}

// WithIdentityToken lets in whoever has a token from its own token service, which gives one to those who have that
// identity token: what "docker login" keeps for registries with OAuth.
func WithIdentityToken(token string) Option {
	return func(r *Registry) { r.door = &oauth{registry: r, identity: token} }
}

// Start starts a registry without any image.
func Start(t testing.TB, options ...Option) *Registry {
	t.Helper()
	closed, end := context.WithCancel(context.Background())
	silent := log.New(io.Discard, "", 0)
	r := &Registry{
		images: server.New(server.Logger(silent), server.WithBlobHandler(server.NewDiskBlobHandler(t.TempDir()))),
		closed: closed, door: open{},
	}
	for _, option := range options {
		option(r)
	}
	listening := httptest.NewUnstartedServer(r)
	listening.Config.ErrorLog = silent // answers that are cut on purpose
	listening.Start()
	r.Host = strings.TrimPrefix(listening.URL, "http://")
	t.Cleanup(func() {
		end()
		listening.CloseClientConnections()
		listening.Close()
	})
	return r
}

// Ref is the full name of an image of this registry, given as NAME:TAG or NAME@DIGEST.
func (r *Registry) Ref(image string) string { return r.Host + "/" + image }

// Push puts an image into the registry as NAME:TAG, whatever its credentials and faults, and returns its digest.
func (r *Registry) Push(t testing.TB, image string, content v1.Image) string {
	t.Helper()
	ref, err := name.ParseReference(r.Ref(image), name.Insecure)
	require.NoError(t, err)
	require.NoError(t, remote.Write(ref, content, remote.WithTransport(backDoor{r.images})))
	digest, err := content.Digest()
	require.NoError(t, err)
	return digest.String()
}

// backDoor calls the registry without a connection, past credentials and faults.
type backDoor struct{ images http.Handler }

func (b backDoor) RoundTrip(request *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	if request.Body == nil {
		request.Body = http.NoBody
	}
	b.images.ServeHTTP(recorder, request)
	response := recorder.Result()
	response.Request = request
	return response, nil
}

// ServeHTTP lets a request through the fault and the door to the images.
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
	guarded := http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) { r.door.guard(r.images, w, request) })
	if fault == nil {
		guarded.ServeHTTP(watched, request)
		return
	}
	fault(r, guarded, watched, request)
}

// Requests are all requests so far.
func (r *Registry) Requests() []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Request(nil), r.requests...)
}

// watchedWriter tells the status of an answer.
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
