// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/client"
)

// newEngine returns a connection to an endpoint, with or without TLS, whose API version is not negotiated yet.
func newEngine(host string, options TLS) (*Engine, error) {
	scheme, address, _ := strings.Cut(host, "://")
	parsed, err := client.ParseHostURL(host)
	if scheme != "unix" { // the client library knows no http and https here
		parsed, err = client.ParseHostURL("tcp://" + address)
	}
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{MaxIdleConns: 6, IdleConnTimeout: 30 * time.Second}
	base := &url.URL{Scheme: "http", Host: parsed.Host, Path: parsed.Path}
	switch {
	case scheme == "unix":
		base.Host = client.DummyHost
	case scheme == "https" || options.Enabled:
		base.Scheme = "https"
		if transport.TLSClientConfig, err = options.config(); err != nil {
			return nil, err
		}
	}
	api, err := client.NewClientWithOpts(
		client.WithHTTPClient(&http.Client{Transport: transport}),
		client.WithHost(parsed.Scheme+"://"+parsed.Host+parsed.Path), // sets the transport's dialer
		client.WithHTTPClient(&http.Client{Transport: refusals{transport}, CheckRedirect: client.CheckRedirect}),
		client.WithScheme(base.Scheme),
		client.WithAPIVersionNegotiation(),
	)
	if err != nil {
		return nil, err
	}
	direct := transport.Clone()
	direct.Proxy = nil // a proxy may not pass on what is no HTTP
	grpc := direct.Clone()
	grpc.Protocols = &http.Protocols{}
	grpc.Protocols.SetHTTP2(true)
	grpc.Protocols.SetUnencryptedHTTP2(true)
	return &Engine{api: api, host: host, transport: transport, grpc: grpc, base: base,
		raw: &http.Client{Transport: refusals{direct}, CheckRedirect: client.CheckRedirect}}, nil
}

// refusals explains answers with which something between this program and the engine refuses a call, such as a proxy that
// allows some calls only: the answer alone does not say which call that was.
type refusals struct{ next http.RoundTripper }

// refusedStatuses are those with which a proxy refuses a call.
var refusedStatuses = []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusMethodNotAllowed}

// RoundTrip passes a call on.
func (r refusals) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := r.next.RoundTrip(request)
	if err != nil || !slices.Contains(refusedStatuses, response.StatusCode) {
		return response, err
	}
	said, fromEngine := readMessage(response)
	response.Body.Close()
	message := said
	if !fromEngine || response.StatusCode != http.StatusUnauthorized && !asksRegistry(request) {
		// An engine passes on what a registry answers. Otherwise it refuses only what a plugin does not authorise.
		message = fmt.Sprintf("a proxy in front of the engine, or a plugin of the engine, refuses the call %s %s (status %d): allow it there",
			request.Method, request.URL.Path, response.StatusCode)
		if said != "" {
			message += ": " + said
		}
		response.StatusCode = http.StatusForbidden // for the client library, which makes it the class of the error
	}
	body, err := json.Marshal(map[string]string{"message": message})
	if err != nil {
		return nil, fmt.Errorf("explaining a refused call: %w", err)
	}
	response.Header.Set("Content-Type", "application/json")
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return response, nil
}

// asksRegistry reports whether an engine asks a registry to answer a call.
func asksRegistry(request *http.Request) bool {
	path := request.URL.Path
	return strings.HasSuffix(path, "/images/create") || strings.Contains(path, "/distribution/")
}

// maxMessage is how much of an answer is read for a message.
const maxMessage = 64 << 10

// readMessage returns the message of an answer that reports an error, and whether it has the form of an engine's.
func readMessage(response *http.Response) (message string, fromEngine bool) {
	content, _ := io.ReadAll(io.LimitReader(response.Body, maxMessage))
	var answer struct{ Message string }
	if json.Unmarshal(content, &answer) == nil && answer.Message != "" {
		return strings.TrimSpace(answer.Message), true
	}
	text := strings.Join(strings.Fields(string(content)), " ")
	if strings.HasPrefix(text, "<") { // a page for a browser, which says no more than the status
		return "", false
	}
	return text, false
}
