// SPDX-License-Identifier: Apache-2.0

package proxyworld

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// ProxyOptions configures a proxy. The zero value is an open proxy to everywhere.
type ProxyOptions struct {
	// Address is where the proxy listens. Default: Loopback.
	Address string
	// User and Password are demanded from every client, if set.
	User, Password string
	// Hosts are servers that are reached through this proxy alone: no name server knows their names.
	Hosts map[string]http.Handler
	// Only lists the other hosts that may be reached. Default: all.
	Only []string
}

// Proxy is a forward proxy. It passes on plain HTTP, and ends the TLS of a tunnel itself, as the proxies of companies do that
// look into TLS.
type Proxy struct {
	journal

	ca      *CA
	options ProxyOptions
	address string
	tunnels *http.Server
	forward *httputil.ReverseProxy
}

// StartProxy starts a proxy. It ends with the test.
func StartProxy(t testing.TB, ca *CA, options ProxyOptions) *Proxy {
	t.Helper()
	if options.Address == "" {
		options.Address = Loopback
	}
	listener, err := net.Listen("tcp", options.Address)
	require.NoError(t, err)
	p := &Proxy{ca: ca, options: options, address: listener.Addr().String()}
	p.forward = &httputil.ReverseProxy{
		Rewrite:   func(*httputil.ProxyRequest) {}, // the request's own URL
		Transport: outside,
		ErrorLog:  newServer(nil).ErrorLog,
	}
	p.tunnels = newServer(http.HandlerFunc(p.serveTunnel))
	p.tunnels.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		return context.WithValue(ctx, tunnelKey{}, tunnelOf(conn).host)
	}
	serve(t, listener, p)
	t.Cleanup(func() { require.NoError(t, p.tunnels.Close()) })
	return p
}

// URL returns the proxy's URL, as HTTP_PROXY and HTTPS_PROXY have it.
func (p *Proxy) URL() string { return "http://" + p.address }

// URLWith returns the proxy's URL with credentials.
func (p *Proxy) URLWith(user, password string) string {
	return (&url.URL{Scheme: "http", User: url.UserPassword(user, password), Host: p.address}).String()
}

func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case !p.authorised(r):
		w.Header().Set("Proxy-Authenticate", `Basic realm="the tests' proxy"`)
		p.refuse(w, r, http.StatusProxyAuthRequired)
	case r.Method == http.MethodConnect:
		p.openTunnel(w, r)
	case r.URL.IsAbs():
		p.pass(w, r, false)
	default:
		p.refuse(w, r, http.StatusBadRequest)
	}
}

func (p *Proxy) authorised(r *http.Request) bool {
	if p.options.User == "" {
		return true
	}
	expected := "Basic " + base64.StdEncoding.EncodeToString([]byte(p.options.User+":"+p.options.Password))
	return same(r.Header.Get("Proxy-Authorization"), expected)
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func (p *Proxy) refuse(w http.ResponseWriter, r *http.Request, status int) {
	p.add(Request{Method: r.Method, Host: r.URL.Hostname(), Path: r.URL.Path, Status: status})
	http.Error(w, "the tests' proxy: "+http.StatusText(status), status)
}

// pass answers a request from the server that it names, and records it.
func (p *Proxy) pass(w http.ResponseWriter, r *http.Request, overTLS bool) {
	host := r.URL.Hostname()
	if !p.mayReach(host) {
		p.refuse(w, r, http.StatusForbidden)
		return
	}
	r.Header.Del("Proxy-Authorization")
	r.Header.Del("Proxy-Connection")
	server := p.options.Hosts[host]
	if server == nil {
		server = p.forward
	}
	written := &statusWriter{ResponseWriter: w}
	method, path := r.Method, r.URL.Path
	defer func() { // the forwarding may end in a panic, if the client has gone
		p.add(Request{Method: method, Host: host, Path: path, Status: written.status, TLS: overTLS})
	}()
	server.ServeHTTP(written, r)
}

func (p *Proxy) mayReach(host string) bool {
	return p.options.Only == nil || p.options.Hosts[host] != nil || slices.Contains(p.options.Only, host)
}
