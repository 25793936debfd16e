// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"net/http"
	"strconv"
	"strings"
)

// Fault intercepts the requests to a registry. It answers a request itself, or passes it to next.
type Fault func(r *Registry, next http.Handler, w http.ResponseWriter, request *http.Request)

// Break sets the fault for all requests from now on. nil removes it.
func (r *Registry) Break(fault Fault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault = fault
}

// Status answers every request with an error: 401, 403, 429, 500.
func Status(status int) Fault {
	codes := map[int]string{http.StatusUnauthorized: "UNAUTHORIZED", http.StatusForbidden: "DENIED", http.StatusTooManyRequests: "TOOMANYREQUESTS"}
	return func(_ *Registry, _ http.Handler, w http.ResponseWriter, _ *http.Request) {
		code := codes[status]
		if code == "" {
			code = "UNKNOWN"
		}
		refuse(w, status, code, strings.ToLower(http.StatusText(status)))
	}
}

// Hang accepts every request and never answers.
func Hang() Fault {
	return func(r *Registry, _ http.Handler, _ http.ResponseWriter, request *http.Request) { r.hang(request) }
}

func (r *Registry) hang(request *http.Request) {
	select {
	case <-request.Context().Done():
	case <-r.closed.Done():
	}
	panic(http.ErrAbortHandler)
}

// HangBlobs answers requests for manifests, and hangs on those for the blobs that they name.
func HangBlobs() Fault { return Blobs(Hang()) }

// CutBlobs sends that many bytes of each blob and then closes the connection.
func CutBlobs(after int) Fault {
	return Blobs(func(_ *Registry, next http.Handler, w http.ResponseWriter, request *http.Request) {
		next.ServeHTTP(&cutting{ResponseWriter: w, left: after}, request)
	})
}

// Blobs applies a fault to requests for layers and configurations only.
func Blobs(fault Fault) Fault {
	return func(r *Registry, next http.Handler, w http.ResponseWriter, request *http.Request) {
		if strings.Contains(request.URL.Path, "/blobs/") {
			fault(r, next, w, request)
			return
		}
		next.ServeHTTP(w, request)
	}
}

// cutting closes the connection in the middle of an answer. It cuts shorter answers in half.
type cutting struct {
	http.ResponseWriter
	left int
}

func (c *cutting) WriteHeader(status int) {
	if length, err := strconv.Atoi(c.Header().Get("Content-Length")); err == nil && length <= c.left {
		c.left = length / 2
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *cutting) Write(p []byte) (int, error) {
	if len(p) < c.left {
		c.left -= len(p)
		return c.ResponseWriter.Write(p)
	}
	_, _ = c.ResponseWriter.Write(p[:c.left])
	if flusher, ok := c.ResponseWriter.(http.Flusher); ok {
		flusher.Flush()
	}
	panic(http.ErrAbortHandler)
}
