// SPDX-License-Identifier: Apache-2.0

package proxyworld

import (
	"bufio"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
)

// tunnel is a client's connection after its CONNECT.
type tunnel struct {
	net.Conn
	buffered *bufio.Reader // what the client has sent so far is in here
	host     string
}

func (t *tunnel) Read(p []byte) (int, error) { return t.buffered.Read(p) }

// tunnelKey is the key of a tunnel's host in the context of its requests.
type tunnelKey struct{}

func tunnelOf(conn net.Conn) *tunnel {
	return conn.(*tls.Conn).NetConn().(*tunnel)
}

// openTunnel answers a CONNECT, and serves what comes through the tunnel with a certificate of the CA.
func (p *Proxy) openTunnel(w http.ResponseWriter, r *http.Request) {
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		p.refuse(w, r, http.StatusBadRequest)
		return
	}
	if !p.mayReach(host) {
		p.refuse(w, r, http.StatusForbidden)
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		p.refuse(w, r, http.StatusInternalServerError)
		return
	}
	if _, err := io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		_ = conn.Close()
		return
	}
	p.add(Request{Method: r.Method, Host: host, Status: http.StatusOK})
	ended := tls.Server(&tunnel{conn, buffered.Reader, r.Host}, p.ca.serverTLS(host))
	if err := p.tunnels.Serve(&oneConnection{conn: ended}); errors.Is(err, http.ErrServerClosed) {
		_ = conn.Close()
	}
}

// serveTunnel answers a request that came through a tunnel.
func (p *Proxy) serveTunnel(w http.ResponseWriter, r *http.Request) {
	r.URL.Scheme, r.URL.Host = "https", r.Context().Value(tunnelKey{}).(string)
	p.pass(w, r, true)
}

// oneConnection is a listener that has one connection.
type oneConnection struct{ conn net.Conn }

func (l *oneConnection) Accept() (net.Conn, error) {
	if l.conn == nil {
		return nil, io.EOF
	}
	conn := l.conn
	l.conn = nil
	return conn, nil
}

func (l *oneConnection) Close() error   { return nil }
func (l *oneConnection) Addr() net.Addr { return &net.TCPAddr{} }
