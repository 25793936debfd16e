// SPDX-License-Identifier: Apache-2.0

package proxyworld

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Loopback is the address for servers that only this machine reaches. A port is chosen.
const Loopback = "127.0.0.1:0"

// ServeTLS serves over HTTPS at an address of this machine, with a certificate for that address, and returns the URL of the
// server. It ends with the test.
func ServeTLS(t testing.TB, ca *CA, address string, handler http.Handler) string {
	t.Helper()
	listener, err := net.Listen("tcp", address)
	require.NoError(t, err)
	host, _, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	serve(t, tls.NewListener(listener, ca.serverTLS(host)), handler)
	return "https://" + listener.Addr().String()
}

func serve(t testing.TB, listener net.Listener, handler http.Handler) {
	t.Helper()
	server := newServer(handler)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serving at %s: %v", listener.Addr(), err)
		}
	}()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		<-ended
	})
}

// newServer returns a server that does not log: clients that do not trust it are part of the tests.
func newServer(handler http.Handler) *http.Server {
	return &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
}
