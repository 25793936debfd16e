// SPDX-License-Identifier: Apache-2.0

package proxyworld_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/test/proxyworld"
)

// clientOf returns a client that goes through a proxy and trusts the CA alone.
func clientOf(t *testing.T, ca *proxyworld.CA, proxy string) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ca.Pool()}}
	t.Cleanup(transport.CloseIdleConnections)
	if proxy != "" {
		parsed, err := url.Parse(proxy)
		require.NoError(t, err)
		transport.Proxy = http.ProxyURL(parsed)
	}
	return &http.Client{Transport: transport}
}

// get returns the status and the body of an answer.
func get(t *testing.T, client *http.Client, url string, header ...string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}

func says(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "%s %s", text, r.URL.Path) })
}

func TestAProxyEndsTheTLSOfATunnel(t *testing.T) {
	ca := proxyworld.NewCA(t)
	proxy := proxyworld.StartProxy(t, ca, proxyworld.ProxyOptions{Hosts: map[string]http.Handler{"a.example.test": says("a"), "b.example.test": says("b")}})
	client := clientOf(t, ca, proxy.URL())
	for range 2 {
		status, body := get(t, client, "https://a.example.test/x")
		assert.Equal(t, 200, status)
		assert.Equal(t, "a /x", body)
	}
	_, body := get(t, client, "https://b.example.test/y")
	assert.Equal(t, "b /y", body)
	assert.Contains(t, proxy.Requests(), proxyworld.Request{Method: "GET", Host: "a.example.test", Path: "/x", Status: 200, TLS: true})
	assert.Equal(t, 3, proxy.Count("a.example.test", 200), "one tunnel, two requests")
}

func TestAProxyPassesOnPlainHTTP(t *testing.T) {
	server := httptest.NewServer(says("plain"))
	defer server.Close()
	ca := proxyworld.NewCA(t)
	proxy := proxyworld.StartProxy(t, ca, proxyworld.ProxyOptions{})
	status, body := get(t, clientOf(t, ca, proxy.URL()), server.URL+"/z")
	assert.Equal(t, 200, status)
	assert.Equal(t, "plain /z", body)
	assert.Contains(t, proxy.Requests(), proxyworld.Request{Method: "GET", Host: "127.0.0.1", Path: "/z", Status: 200})
}

func TestWhoDoesNotTrustTheCAGetsNothing(t *testing.T) {
	proxy := proxyworld.StartProxy(t, proxyworld.NewCA(t), proxyworld.ProxyOptions{Hosts: map[string]http.Handler{"a.example.test": says("a")}})
	_, err := clientOf(t, proxyworld.NewCA(t), proxy.URL()).Get("https://a.example.test/")
	require.ErrorContains(t, err, "certificate signed by unknown authority")
	assert.Equal(t, 1, proxy.Count("a.example.test", 200), "the tunnel alone")
}

func TestAProxyThatAsksForAPassword(t *testing.T) {
	server := httptest.NewServer(says("plain"))
	defer server.Close()
	ca := proxyworld.NewCA(t)
	proxy := proxyworld.StartProxy(t, ca, proxyworld.ProxyOptions{
		User: "ada", Password: "s3cret", Hosts: map[string]http.Handler{"a.example.test": says("a")},
	})
	for _, wrong := range []string{proxy.URL(), proxy.URLWith("ada", "wrong")} {
		client := clientOf(t, ca, wrong)
		_, err := client.Get("https://a.example.test/")
		require.ErrorContains(t, err, "Proxy Authentication Required")
		status, _ := get(t, client, server.URL)
		assert.Equal(t, 407, status)
	}
	_, body := get(t, clientOf(t, ca, proxy.URLWith("ada", "s3cret")), "https://a.example.test/")
	assert.Equal(t, "a /", body)
	assert.Equal(t, 2, proxy.Count("a.example.test", 407))
}

func TestAProxyToSomeHosts(t *testing.T) {
	ca := proxyworld.NewCA(t)
	proxy := proxyworld.StartProxy(t, ca, proxyworld.ProxyOptions{Only: []string{}, Hosts: map[string]http.Handler{"a.example.test": says("a")}})
	client := clientOf(t, ca, proxy.URL())
	_, body := get(t, client, "https://a.example.test/")
	assert.Equal(t, "a /", body)
	_, err := client.Get("https://b.example.test/")
	require.ErrorContains(t, err, "Forbidden")
	assert.Equal(t, 1, proxy.Count("b.example.test", 403))
}

// An address needs a certificate with that address.
func TestAServerAtAnAddress(t *testing.T) {
	ca := proxyworld.NewCA(t)
	_, body := get(t, clientOf(t, ca, ""), proxyworld.ServeTLS(t, ca, proxyworld.Loopback, says("here"))+"/x")
	assert.Equal(t, "here /x", body)
}
