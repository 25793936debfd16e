// SPDX-License-Identifier: Apache-2.0

package proxyworld

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
)

// outside reaches the servers outside this world, the way that this machine does.
var outside = &keeping{next: plainTransport(), answers: map[string]*answer{}}

// plainTransport passes on bodies as they are.
func plainTransport() http.RoundTripper {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true
	return transport
}

// keeping keeps answers, so that tests download everything only once.
type keeping struct {
	next http.RoundTripper

	mu      sync.Mutex
	answers map[string]*answer
}

type answer struct {
	status int
	header http.Header
	body   []byte
}

func (k *keeping) RoundTrip(r *http.Request) (*http.Response, error) {
	for _, name := range []string{"Authorization", "Range", "If-None-Match", "If-Modified-Since"} {
		if r.Header.Get(name) != "" {
			return k.next.RoundTrip(r)
		}
	}
	if r.Method != http.MethodGet {
		return k.next.RoundTrip(r)
	}
	key := r.URL.String() + "\n" + r.Header.Get("Accept") + "\n" + r.Header.Get("Accept-Encoding")
	k.mu.Lock()
	kept := k.answers[key]
	k.mu.Unlock()
	if kept != nil {
		return kept.response(r), nil
	}
	response, err := k.next.RoundTrip(r)
	if err != nil || response.StatusCode != http.StatusOK {
		return response, err
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil {
		return nil, err
	}
	kept = &answer{response.StatusCode, response.Header, body}
	k.mu.Lock()
	k.answers[key] = kept
	k.mu.Unlock()
	return kept.response(r), nil
}

func (a *answer) response(r *http.Request) *http.Response {
	return &http.Response{
		Status: http.StatusText(a.status), StatusCode: a.status, Header: a.header.Clone(), Request: r,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, ContentLength: int64(len(a.body)), Body: io.NopCloser(bytes.NewReader(a.body)),
	}
}

// PassOn returns a handler that answers from a registry outside, without the client's credentials. Where that refers to itself
// in JSON, as npm's registry does, the answer refers to this one. Without a registry, there is nothing.
func PassOn(registry string) http.Handler {
	base, err := url.Parse(registry)
	if registry == "" || err != nil {
		return http.NotFoundHandler()
	}
	return &httputil.ReverseProxy{
		Transport: outside,
		ErrorLog:  newServer(nil).ErrorLog,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(base)
			r.Out.Header.Del("Authorization")
			r.Out.Header.Del("Accept-Encoding")
			r.Out = r.Out.WithContext(context.WithValue(r.Out.Context(), askedKey{}, "https://"+r.In.Host))
		},
		ModifyResponse: func(r *http.Response) error { return referToUs(r, strings.TrimSuffix(registry, "/")) },
	}
}

// askedKey is the key of the URL that a client has asked, in the context of a request that is passed on.
type askedKey struct{}

func referToUs(r *http.Response, registry string) error {
	if !strings.Contains(r.Header.Get("Content-Type"), "json") {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	_ = r.Body.Close()
	body = bytes.ReplaceAll(body, []byte(registry), []byte(r.Request.Context().Value(askedKey{}).(string)))
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.Header.Del("Content-Length")
	return err
}
