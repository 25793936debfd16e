// Package docker is this project's view of a container engine that speaks the Docker Engine API: the calls it needs, in
// its own plain types. It is the only importer of the Docker SDK, which is frozen upstream: a later move touches this
// package alone. It knows no sibling package.
//
// Errors say what was being done and to what; the engine's own message follows. They keep the engine's class, for
// github.com/containerd/errdefs (IsNotFound and so on): engines agree on classes far more than on texts.
//
// Every short call has a deadline of its own. Calls that move data or wait for a container end with their context only.
package docker

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/docker/docker/client"
)

// connectTimeout bounds the first answer of an engine, callTimeout a call that only reads or writes a record, and
// heavyTimeout one for which the engine has to work: creating, starting, removing.
const (
	connectTimeout = 10 * time.Second
	callTimeout    = 30 * time.Second
	heavyTimeout   = 2 * time.Minute
)

// Engine is a connection to one engine. It is safe for concurrent use.
type Engine struct {
	api  *client.Client
	host string
}

// Connect is ConnectTLS without protection, unless the host says https://.
func Connect(ctx context.Context, host string) (*Engine, error) {
	return ConnectTLS(ctx, host, TLS{})
}

// ConnectTLS asks the engine at host (unix:///path, tcp://host:port, http://host:port, https://host:port) for its
// version and agrees on one that both sides know. An engine that does not answer is an [Unreachable].
func ConnectTLS(ctx context.Context, host string, protection TLS) (*Engine, error) {
	if err := checkHost(host); err != nil {
		return nil, err
	}
	api, err := newClient(host, protection)
	if err != nil {
		return nil, fmt.Errorf("preparing a client for %s: %w", host, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, connectTimeout, fmt.Errorf("no answer within %v", connectTimeout))
	defer cancel()
	ping, err := api.Ping(ctx)
	if err != nil {
		return nil, unreachable(ctx, host, err)
	}
	api.NegotiateAPIVersionPing(ping)
	return &Engine{api: api, host: host}, nil
}

// Close gives up idle connections.
func (e *Engine) Close() error { return e.api.Close() }

// Host is the endpoint that Connect was given.
func (e *Engine) Host() string { return e.host }

// Clock is the engine's own time. Ages of containers must be taken by it: the engine may be on another machine.
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

// checkHost refuses an endpoint that no engine can have, before the SDK guesses what was meant.
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
