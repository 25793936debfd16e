// SPDX-License-Identifier: Apache-2.0

package docker_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/test/fakeengine"
)

// With an API version that one side does not support, every call fails (fabric#5350, fabric#5441).
func TestConnectNegotiatesTheVersion(t *testing.T) {
	tests := map[string]struct {
		newest, oldest, negotiated string
	}{
		"an old engine":     {"1.41", "1.12", "1.41"},
		"a very old engine": {"1.30", "1.12", "1.30"},
		"the same":          {"1.51", "1.24", "1.51"},
		"a newer engine":    {"1.55", "1.40", "1.51"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			engine, client := connect(t, fakeengine.API(test.newest, test.oldest))
			_, err := client.Image(t.Context(), "base:1")
			require.NoError(t, err)
			assert.Equal(t, test.negotiated, engine.Calls(fakeengine.ImageInspect)[0].Version)
			assert.Len(t, engine.Calls(fakeengine.Ping), 1, "negotiated once")
		})
	}
}

// The environment variables of the docker command do not apply here.
func TestConnectIgnoresTheEnvironment(t *testing.T) {
	t.Setenv("DOCKER_API_VERSION", "1.12")
	t.Setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
	_, client := connect(t, fakeengine.API("1.55", "1.40"))
	_, err := client.Clock(t.Context())
	assert.NoError(t, err)
}

func TestConnectOverTCP(t *testing.T) {
	engine, client := connect(t, fakeengine.TCP())
	assert.Equal(t, engine.Host(), client.Host())
	_, err := client.Clock(t.Context())
	assert.NoError(t, err)
}

func TestConnectReportsWhyNoEngineAnswers(t *testing.T) {
	dir := fakeengine.ShortTempDir(t)
	abandoned := filepath.Join(dir, "abandoned.sock")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: abandoned, Net: "unix"})
	require.NoError(t, err)
	listener.SetUnlinkOnClose(false)
	require.NoError(t, listener.Close())
	port, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	refused := "tcp://" + port.Addr().String()
	require.NoError(t, port.Close())

	for host, reason := range map[string]string{
		"unix://" + filepath.Join(dir, "missing.sock"): "the socket does not exist",
		"unix://" + abandoned:                          "the socket exists, but no engine listens on it",
		refused:                                        "connection refused",
	} {
		t.Run(reason, func(t *testing.T) {
			_, err := docker.Connect(t.Context(), host)
			var unreachable *docker.Unreachable
			require.ErrorAs(t, err, &unreachable)
			assert.ErrorContains(t, err, "no container engine answers at "+host+": ")
			assert.ErrorContains(t, err, reason)
			assert.True(t, docker.IsUnreachable(err))
		})
	}
}

func TestConnectEndsWithItsContext(t *testing.T) {
	engine := fakeengine.New(t)
	t.Run("while the engine hangs", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		engine.On(fakeengine.Ping, fakeengine.Before(func() { cancel(errors.New("no answer in time")) }))
		engine.On(fakeengine.Ping, fakeengine.Hang())
		_, err := docker.Connect(ctx, engine.Host())
		assert.EqualError(t, err, "no container engine answers at "+engine.Host()+": no answer in time")
	})
	t.Run("before the call", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("stopped by a signal"))
		_, err := docker.Connect(ctx, engine.Host())
		assert.EqualError(t, err, "no container engine answers at "+engine.Host()+": stopped by a signal")
	})
}

func TestConnectReportsTheEnginesError(t *testing.T) {
	engine := fakeengine.New(t)
	engine.On(fakeengine.Ping, fakeengine.Fail(http.StatusInternalServerError, "")) // the answer to a ping has no body
	_, err := docker.Connect(t.Context(), engine.Host())
	assert.ErrorContains(t, err, "no container engine answers at "+engine.Host()+": ")
	assert.ErrorContains(t, err, "500 Internal Server Error")
}

func TestConnectFailsIfTheConnectionIsDropped(t *testing.T) {
	engine := fakeengine.New(t)
	engine.On(fakeengine.Ping, fakeengine.Drop())
	_, err := docker.Connect(t.Context(), engine.Host())
	assert.ErrorContains(t, err, "no container engine answers at "+engine.Host()+": ")
	assert.True(t, docker.IsUnreachable(err))
}

func TestConnectRejectsMalformedEndpoints(t *testing.T) {
	for host, reason := range map[string]string{
		"":                        "has no known scheme",
		"/var/run/docker.sock":    "has no known scheme",
		"docker.sock":             "has no known scheme",
		"ftp://example.com":       "has no known scheme",
		"npipe:////./pipe/docker": "has no known scheme",
		"unix://":                 "has no absolute path",
		"unix://var/run/docker":   "has no absolute path",
		"unix:var/run/docker":     "has no absolute path",
		"tcp://":                  "has no host",
		"tcp://:2375":             "has no host",
		"http://%zz":              "is not a URL",
	} {
		t.Run(host, func(t *testing.T) {
			_, err := docker.Connect(t.Context(), host)
			assert.ErrorContains(t, err, reason)
			var unreachable *docker.Unreachable
			assert.False(t, errors.As(err, &unreachable), "rejected before any call")
		})
	}
}

func TestClockReturnsTheEnginesTime(t *testing.T) {
	engine, client := connect(t)
	for _, skew := range []time.Duration{0, 5 * time.Hour, -5 * time.Hour} {
		engine.SetSkew(skew)
		now, err := client.Clock(t.Context())
		require.NoError(t, err)
		assert.WithinDuration(t, time.Now().Add(skew), now, time.Minute)
	}
	engine.On(fakeengine.Info, fakeengine.Answer(http.StatusOK, `{"SystemTime":"noon"}`))
	_, err := client.Clock(t.Context())
	assert.ErrorContains(t, err, `reading the engine's time "noon"`)
}

// A proxy in front of the engine answers while the engine restarts.
func TestAProxyThatDoesNotReachTheEngine(t *testing.T) {
	for status, unreachable := range map[int]bool{
		http.StatusBadGateway: true, http.StatusServiceUnavailable: true, http.StatusForbidden: false, http.StatusInternalServerError: false,
	} {
		engine, client := connect(t)
		engine.On(fakeengine.ImageInspect, fakeengine.Fail(status, "said by the proxy"))
		_, err := client.Image(t.Context(), "ccenv:1")
		assert.Equal(t, unreachable, docker.IsUnreachable(err), "%v", err)
	}
}
