// SPDX-License-Identifier: Apache-2.0

// Package docker calls a container engine through the Docker Engine API. It offers the calls that this project needs, in
// plain types of its own. Only this package imports the Docker SDK, which is frozen upstream, so that a later move to its
// successor changes nothing else. It imports no sibling package.
//
// An error names the operation and the object, followed by the engine's message. What is missing is told by [ErrNoContainer],
// [ErrNoImage] and [ErrNoPath], never by texts, on which engines do not agree.
//
// Every short call has its own deadline. Calls that transfer data or wait for a container end only with their context.
package docker

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/client"
)

const (
	connectTimeout = 10 * time.Second // for the first answer of an engine
	callTimeout    = 30 * time.Second // for a call that only reads or writes a record
	heavyTimeout   = 2 * time.Minute  // for a call that makes the engine work: create, start, stop, remove
)

// Engine is a connection to one engine. It is safe for concurrent use.
type Engine struct {
	api       *client.Client
	host      string
	transport *http.Transport // of api
	raw       *http.Client    // for connections that are taken over
	grpc      *http.Transport // for HTTP/2 alone
	base      *url.URL        // of all calls, without the API version
}

// Connect connects like [ConnectTLS], with TLS only if host starts with https://.
func Connect(ctx context.Context, host string) (*Engine, error) {
	return ConnectTLS(ctx, host, TLS{})
}

// ConnectTLS connects to the engine at host (unix:///path, tcp://host:port, http://host:port or https://host:port) and
// negotiates the API version. Its error is an [Unreachable] if the engine does not answer.
func ConnectTLS(ctx context.Context, host string, options TLS) (*Engine, error) {
	if err := checkHost(host); err != nil {
		return nil, err
	}
	e, err := newEngine(host, options)
	if err != nil {
		return nil, fmt.Errorf("preparing a client for %s: %w", host, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, connectTimeout, fmt.Errorf("no answer within %v", connectTimeout))
	defer cancel()
	ping, err := e.api.Ping(ctx)
	if err != nil {
		return nil, unreachable(ctx, host, err)
	}
	e.api.NegotiateAPIVersionPing(ping)
	return e, nil
}

// Close closes idle connections.
func (e *Engine) Close() error {
	e.transport.CloseIdleConnections()
	e.grpc.CloseIdleConnections()
	return nil
}

// Host returns the endpoint that was passed to Connect.
func (e *Engine) Host() string { return e.host }

// Clock returns the current time by the engine's clock. Use it to compute the age of a container, because the engine may be
// on another machine.
func (e *Engine) Clock(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	info, err := e.api.Info(ctx)
	if err != nil {
		return time.Time{}, fmt.Errorf("asking the engine for its time: %w", err)
	}
	now, err := time.Parse(time.RFC3339Nano, info.SystemTime)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading the engine's time %q: %w", info.SystemTime, err)
	}
	return now, nil
}

// Description is what an engine says of itself.
type Description struct {
	Name     string // such as "Docker Engine - Community"
	Version  string
	API      string // the version that this connection speaks
	Platform string // os/architecture
	Podman   bool   // its builder is not BuildKit
}

// Describe asks an engine what it is. Where engines differ in what they answer, look at that instead.
func (e *Engine) Describe(ctx context.Context) (Description, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	version, err := e.api.ServerVersion(ctx)
	if err != nil {
		return Description{}, fmt.Errorf("asking the engine for its version: %w", err)
	}
	isPodman := func(c types.ComponentVersion) bool { return strings.HasPrefix(c.Name, "Podman") }
	described := Description{
		Name: version.Platform.Name, Version: version.Version, API: e.api.ClientVersion(), Platform: path.Join(version.Os, version.Arch),
		Podman: slices.ContainsFunc(version.Components, isPodman),
	}
	if described.Podman { // it gives its platform as the name
		described.Name = version.Components[0].Name
	}
	if described.Name == "" {
		described.Name = "Docker Engine"
	}
	return described, nil
}

// checkHost rejects a malformed endpoint before the SDK guesses what it means.
func checkHost(host string) error {
	endpoint, err := url.Parse(host)
	if err != nil {
		return fmt.Errorf("endpoint %q is not a URL: expected unix:///path or tcp://host:port", host)
	}
	switch endpoint.Scheme {
	case "unix":
		if endpoint.Path == "" || endpoint.Host != "" {
			return fmt.Errorf("endpoint %q has no absolute path: expected unix:///path", host)
		}
	case "tcp", "http", "https":
		if endpoint.Hostname() == "" {
			return fmt.Errorf("endpoint %q has no host: expected %s://host:port", host, endpoint.Scheme)
		}
	default:
		return fmt.Errorf("endpoint %q has no known scheme: expected unix://, tcp://, http:// or https://", host)
	}
	return nil
}
