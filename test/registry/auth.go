// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
)

// authenticator passes authorised requests on to images, and answers the others.
type authenticator interface {
	guard(images http.Handler, w http.ResponseWriter, r *http.Request)
}

// open accepts every request.
type open struct{}

func (open) guard(images http.Handler, w http.ResponseWriter, r *http.Request) {
	images.ServeHTTP(w, r)
}

// basic accepts the requests of one user.
type basic struct{ user, password string }

func (b basic) guard(images http.Handler, w http.ResponseWriter, r *http.Request) {
	user, password, _ := r.BasicAuth()
	if same(user, b.user) && same(password, b.password) {
		images.ServeHTTP(w, r)
		return
	}
	w.Header().Set("WWW-Authenticate", `Basic realm="the tests' registry"`)
	refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// oauth accepts requests with a token that its own token service at /token has issued.
type oauth struct {
	registry *Registry
	identity string

	mu     sync.Mutex
	issued map[string]bool
}

func (o *oauth) guard(images http.Handler, w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/token" {
		o.token(w, r)
		return
	}
	o.mu.Lock()
	known := o.issued[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	o.mu.Unlock()
	if known {
		images.ServeHTTP(w, r)
		return
	}
	w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="tests"`, o.registry.Host))
	refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
}

// token issues an access token for the identity token, which OAuth calls a refresh token.
func (o *oauth) token(w http.ResponseWriter, r *http.Request) {
	if r.FormValue("grant_type") != "refresh_token" || !same(r.FormValue("refresh_token"), o.identity) {
		refuse(w, http.StatusUnauthorized, "UNAUTHORIZED", "no such identity")
		return
	}
	access := rand.Text()
	o.mu.Lock()
	if o.issued == nil {
		o.issued = map[string]bool{}
	}
	o.issued[access] = true
	o.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": access, "token": access, "expires_in": 300})
}

// refuse answers with an error in the registry API's format.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": []map[string]string{{"code": code, "message": message}}})
}
