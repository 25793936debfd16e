// SPDX-License-Identifier: Apache-2.0

package docker_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/test/fakeengine"
)

func TestBlob(t *testing.T) {
	for name, options := range map[string][]fakeengine.Option{"unix": nil, "tcp": {fakeengine.TCP()}} {
		t.Run(name, func(t *testing.T) {
			_, client := connect(t, append(options, fakeengine.ContainerdStore(), fakeengine.BlobService())...)
			image, err := client.Image(t.Context(), "base:1")
			require.NoError(t, err)
			blob, err := client.Blob(t.Context(), image.ID, 0)
			require.NoError(t, err)
			assert.Contains(t, string(blob), `"layers":[{`)

			_, err = client.Blob(t.Context(), "sha256:b", 0)
			assert.EqualError(t, err, `reading blob sha256:b from the engine's store: gRPC status "5": "content sha256:b: not found"`)
		})
	}
}

// frameOf returns data as a message of the content service, in a frame.
func frameOf(data string) []byte {
	message := protowire.AppendString(protowire.AppendTag(nil, 2, protowire.BytesType), data)
	return append([]byte{0, 0, 0, byte(len(message) >> 8), byte(len(message))}, message...)
}

// answerBlob answers a call by gRPC with a body and a status.
func answerBlob(body []byte, status string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/grpc+proto")
		w.Write(body)
		if status != "" {
			w.Header().Set(http.TrailerPrefix+"Grpc-Status", status)
		}
	}
}

// serveBlob starts an engine that answers pings and, by HTTP/2, the calls for blobs.
func serveBlob(t *testing.T, blob http.HandlerFunc) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/_ping", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Api-Version", "1.52") })
	mux.HandleFunc("POST /containerd.services.content.v1.Content/Read", func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, []string{"application/grpc"}, r.Header["Content-Type"])
		assert.Equal(t, []string{"trailers"}, r.Header["Te"])
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		assert.Equal(t, "\x00\x00\x00\x00\x0c\x0a\x08sha256:a\x18\x07", string(body))
		blob(w, r)
	})
	server := httptest.NewUnstartedServer(mux)
	server.Config.Protocols = &http.Protocols{}
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(server.Close)
	return server
}

func TestBlobOfAnEngineThatMisbehaves(t *testing.T) {
	good := frameOf("abc")
	for name, test := range map[string]struct {
		serve http.HandlerFunc
		want  string // content, or a part of the error
		ok    bool
	}{
		"in pieces":             {answerBlob(append(frameOf("ab"), frameOf("c")...), "0"), "abc", true},
		"nothing":               {answerBlob(nil, "0"), "", true},
		"another field":         {answerBlob([]byte("\x00\x00\x00\x00\x02\x08\x01"), "0"), "", true},
		"no gRPC":               {http.NotFound, "the answer is not gRPC (status 404)", false},
		"an error":              {answerBlob(nil, "12"), `gRPC status "12"`, false},
		"an error after pieces": {answerBlob(good, "2"), `gRPC status "2"`, false},
		"no status":             {answerBlob(good, ""), `gRPC status ""`, false},
		"half a piece":          {answerBlob(good[:len(good)-1], "0"), "unexpected EOF", false},
		"half a header":         {answerBlob(good[:3], "0"), "not a series of uncompressed frames", false},
		"compressed":            {answerBlob(append([]byte{1}, good[1:]...), "0"), "not a series of uncompressed frames", false},
		"longer than all":       {answerBlob([]byte("\x00\xff\xff\xff\xff"), "0"), "unexpected EOF", false},
		"too much":              {answerBlob(bytes.Repeat(good, 1<<20), "0"), "the answer has more than 1048576 bytes", false},
		"cut off":               {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "", false},
		"cut off half way": {func(w http.ResponseWriter, r *http.Request) {
			answerBlob(good, "0")(w, r)
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			server := serveBlob(t, test.serve)
			server.Start()
			client, err := docker.Connect(t.Context(), "tcp://"+server.Listener.Addr().String())
			require.NoError(t, err)
			defer client.Close()
			content, err := client.Blob(t.Context(), "sha256:a", 7)
			if test.ok {
				require.NoError(t, err)
				assert.Equal(t, test.want, string(content))
				return
			}
			assert.ErrorContains(t, err, "reading blob sha256:a from the engine's store: ")
			assert.ErrorContains(t, err, test.want)
		})
	}
}

// Engines before Docker 29.2, podman and many proxies speak HTTP/1 alone.
func TestBlobOfAnEngineWithoutHTTP2(t *testing.T) {
	for name, options := range flavours {
		t.Run(name, func(t *testing.T) {
			engine, client := connect(t, options...)
			_, err := client.Blob(t.Context(), "sha256:a", 7)
			assert.ErrorContains(t, err, "reading blob sha256:a from the engine's store: ")
			assert.Empty(t, engine.Calls(fakeengine.Blob), "it is no call of HTTP/1")
			_, err = client.Image(t.Context(), "base:1")
			assert.NoError(t, err, "the calls after it")
		})
	}
}

func TestBlobEndsWithItsContext(t *testing.T) {
	engine, client := connect(t, fakeengine.ContainerdStore(), fakeengine.BlobService())
	ctx, stop := context.WithCancel(t.Context())
	engine.On(fakeengine.Blob, func(c *fakeengine.Call) { stop(); fakeengine.Hang()(c) })
	_, err := client.Blob(ctx, "sha256:a", 7)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestBlobOverTLS(t *testing.T) {
	a := newAuthority(t)
	pair, err := tls.LoadX509KeyPair(a.issue("server"))
	require.NoError(t, err)
	for name, http2 := range map[string]bool{"with HTTP/2": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			server := serveBlob(t, answerBlob(frameOf("abc"), "0"))
			server.Config.Protocols.SetHTTP2(http2)
			server.EnableHTTP2 = http2
			server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
			server.StartTLS()
			client, err := docker.ConnectTLS(t.Context(), strings.Replace(server.URL, "https", "tcp", 1), docker.TLS{Enabled: true, CA: a.ca})
			require.NoError(t, err)
			defer client.Close()
			content, err := client.Blob(t.Context(), "sha256:a", 7)
			if !http2 {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, "abc", string(content))
		})
	}
}
