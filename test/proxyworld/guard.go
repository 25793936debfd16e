// SPDX-License-Identifier: Apache-2.0

package proxyworld

import (
	"encoding/base64"
	"net/http"
)

// Guarded is a registry that asks for credentials.
type Guarded struct {
	journal

	next      http.Handler
	accepted  string // the value of Authorization
	challenge string
}

// RequireBasic asks for a user and a password.
func RequireBasic(next http.Handler, user, password string) *Guarded {
	encoded := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	return &Guarded{next: next, accepted: "Basic " + encoded, challenge: `Basic realm="the tests' registry"`}
}

// RequireBearer asks for a token.
func RequireBearer(next http.Handler, token string) *Guarded {
	return &Guarded{next: next, accepted: "Bearer " + token, challenge: `Bearer realm="the tests' registry"`}
}

func (g *Guarded) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	written := &statusWriter{ResponseWriter: w}
	method, host, path := r.Method, hostOf(r), r.URL.Path
	defer func() {
		g.add(Request{Method: method, Host: host, Path: path, Status: written.status, TLS: r.TLS != nil})
	}()
	if same(r.Header.Get("Authorization"), g.accepted) {
		g.next.ServeHTTP(written, r)
		return
	}
	written.Header().Set("WWW-Authenticate", g.challenge)
	http.Error(written, "the tests' registry: who are you?", http.StatusUnauthorized)
}

// Answers returns how many requests got an answer with this status.
func (g *Guarded) Answers(status int) int {
	count := 0
	for _, r := range g.Requests() {
		if r.Status == status {
			count++
		}
	}
	return count
}
