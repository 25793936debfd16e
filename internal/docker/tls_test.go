// SPDX-License-Identifier: Apache-2.0

package docker_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/test/fakeengine"
)

// authority issues certificates.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	ca   string // PEM file
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ca"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	var err error
	a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	require.NoError(t, err)
	a.cert, err = x509.ParseCertificate(der)
	require.NoError(t, err)
	a.ca = a.write("ca.pem", "CERTIFICATE", der)
	return a
}

func (a *authority) write(name, kind string, der []byte) string {
	path := filepath.Join(a.dir, name)
	require.NoError(a.t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	return path
}

// issue writes a client and server certificate for 127.0.0.1 and its key.
func (a *authority) issue(name string) (cert, key string) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(a.t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, &private.PublicKey, a.key)
	require.NoError(a.t, err)
	encoded, err := x509.MarshalECPrivateKey(private)
	require.NoError(a.t, err)
	return a.write(name+".pem", "CERTIFICATE", der), a.write(name+".key", "EC PRIVATE KEY", encoded)
}

// serveTLS starts an engine behind a proxy that adds TLS, which the fake engine lacks, and returns the host:port of the proxy.
func serveTLS(t *testing.T, a *authority, clientAuth tls.ClientAuthType) (*fakeengine.Engine, string) {
	t.Helper()
	engine := fakeengine.New(t, fakeengine.TCP())
	engine.AddImage(fakeengine.Image{Name: "base:1", Layers: []string{"sha256:a"}, Command: []string{"sh"}})
	pair, err := tls.LoadX509KeyPair(a.issue("server"))
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	server := httptest.NewUnstartedServer(httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: strings.TrimPrefix(engine.Host(), "tcp://")}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: clientAuth, ClientCAs: pool}
	server.StartTLS()
	t.Cleanup(server.Close)
	return engine, server.Listener.Addr().String()
}

func TestConnectTLS(t *testing.T) {
	a := newAuthority(t)
	_, address := serveTLS(t, a, tls.RequireAndVerifyClientCert)
	cert, key := a.issue("client")
	for _, scheme := range []string{"tcp", "http", "https"} { // as in the peer, the setting decides, not the scheme
		client, err := docker.ConnectTLS(t.Context(), scheme+"://"+address, docker.TLS{Enabled: true, CA: a.ca, Cert: cert, Key: key})
		require.NoError(t, err, scheme)
		_, err = client.Clock(t.Context())
		assert.NoError(t, err)
		assert.NoError(t, client.Close())
	}
}

// Attach opens its own connection, not through the HTTP client.
func TestAttachOverTLS(t *testing.T) {
	a := newAuthority(t)
	engine, address := serveTLS(t, a, tls.NoClientCert)
	engine.SetProgram(func(p *fakeengine.Process) int {
		_, err := p.Stdout.Write([]byte("hello\n"))
		assert.NoError(t, err)
		return 0
	})
	client, err := docker.ConnectTLS(t.Context(), "https://"+address, docker.TLS{CA: a.ca})
	require.NoError(t, err)
	defer client.Close()
	id := create(t, client)
	attached, err := client.Attach(t.Context(), id, nil)
	require.NoError(t, err)
	require.NoError(t, client.Start(t.Context(), id))
	stdout, _, err := output(t, attached)
	require.NoError(t, err)
	assert.Equal(t, "hello\n", stdout)
}

// For an attach, the SDK takes the scheme http for the name of a network.
func TestAttachOverHTTP(t *testing.T) {
	engine := fakeengine.New(t, fakeengine.TCP())
	engine.AddImage(fakeengine.Image{Name: "base:1", Command: []string{"sh"}})
	client, err := docker.Connect(t.Context(), "http://"+strings.TrimPrefix(engine.Host(), "tcp://"))
	require.NoError(t, err)
	defer client.Close()
	attached, err := client.Attach(t.Context(), create(t, client), nil)
	require.NoError(t, err)
	attached.Close()
}

func TestConnectTLSDoesNotApplyToSockets(t *testing.T) {
	engine := fakeengine.New(t)
	client, err := docker.ConnectTLS(t.Context(), engine.Host(), docker.TLS{Enabled: true, CA: "/not/there"})
	require.NoError(t, err)
	assert.NoError(t, client.Close())
}

func TestConnectTLSReportsWhatIsWrong(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	_, address := serveTLS(t, a, tls.RequireAndVerifyClientCert)
	cert, key := a.issue("client")
	_, wrongKey := other.issue("client")
	text := filepath.Join(t.TempDir(), "text")
	require.NoError(t, os.WriteFile(text, []byte("hello"), 0o600))
	tests := map[string]struct {
		tls         docker.TLS
		want        string
		unreachable bool
	}{
		"another authority":              {docker.TLS{Enabled: true, CA: other.ca, Cert: cert, Key: key}, "certificate signed by unknown authority", true},
		"the system's authorities":       {docker.TLS{Enabled: true, Cert: cert, Key: key}, "certificate signed by unknown authority", true},
		"no certificate":                 {docker.TLS{Enabled: true, CA: a.ca}, "certificate", true},
		"no authority":                   {docker.TLS{Enabled: true, CA: "/not/there"}, "reading the engine's certificate authority: open /not/there: no such file", false},
		"an authority file without PEM":  {docker.TLS{Enabled: true, CA: text}, text + " contains no PEM certificate", false},
		"the key of another certificate": {docker.TLS{Enabled: true, CA: a.ca, Cert: cert, Key: wrongKey}, "reading the client certificate " + cert + " and key " + wrongKey, false},
		"no key":                         {docker.TLS{Enabled: true, CA: a.ca, Cert: cert, Key: "/not/there"}, "open /not/there: no such file", false},
		"off":                            {docker.TLS{}, "no container engine answers at tcp://" + address, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := docker.ConnectTLS(t.Context(), "tcp://"+address, test.tls)
			require.ErrorContains(t, err, test.want)
			var unreachable *docker.Unreachable
			assert.Equal(t, test.unreachable, errors.As(err, &unreachable))
		})
	}
}
