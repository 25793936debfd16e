// SPDX-License-Identifier: Apache-2.0

package proxyworld

import (
	"net/http"
	"slices"
	"sync"
)

// Request is a request that a server of this world has answered.
type Request struct {
	Method string
	Host   string // without a port
	Path   string
	Status int
	TLS    bool // it came through a tunnel whose TLS ends at the proxy
}

// journal records requests.
type journal struct {
	mu       sync.Mutex
	requests []Request
}

func (j *journal) add(r Request) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.requests = append(j.requests, r)
}

// Requests returns what has been answered so far.
func (j *journal) Requests() []Request {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.requests)
}

// Count returns how many requests to a host got an answer with this status.
func (j *journal) Count(host string, status int) int {
	count := 0
	for _, r := range j.Requests() {
		if r.Host == host && r.Status == status {
			count++
		}
	}
	return count
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}
