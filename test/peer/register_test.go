// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"

	"fabric-builder-docker/test/chat"
)

func TestAChaincodeRegisters(t *testing.T) {
	for name, change := range map[string]func(*Options){"plain": func(*Options) {}, "TLS": withTLS} {
		t.Run(name, func(t *testing.T) {
			peer := start(t, scripts{"run": waits}, change)
			id := peer.install(t, "kv")
			connected(t, peer, id)

			launched, err := peer.Launch(t.Context(), id)
			require.NoError(t, err)
			assert.Len(t, peer.Runs(id), 1)
			assert.Positive(t, launched.Registered)
			assert.GreaterOrEqual(t, launched.Ready, launched.Registered)
		})
	}
}

func TestACertificateIsValidForOneChaincode(t *testing.T) {
	peer := start(t, scripts{"run": waits}, withTLS)
	one, other := peer.install(t, "one"), peer.install(t, "other")
	config, result := peer.launch(t, one)
	_, _ = peer.launch(t, other)

	c := connect(t, config)
	c.register(other)
	_, err := c.stream.Recv()
	assert.ErrorContains(t, err, "belongs to a different chaincode")

	c = connect(t, config)
	c.register(one)
	c.welcomed()
	assert.NoError(t, <-result, "the end of the refused stream drops no chaincode")
}

func TestACertificateIsForgotten(t *testing.T) {
	peer := start(t, scripts{"run": waits}, withTLS, func(o *Options) { o.CertLifetime = time.Nanosecond })
	id := peer.install(t, "kv")
	config, _ := peer.launch(t, id)
	require.Eventually(t, func() bool {
		peer.clients.mutex.Lock()
		defer peer.clients.mutex.Unlock()
		return len(peer.clients.names) == 0
	}, wait, tick)

	c := connect(t, config)
	c.register(id)
	_, err := c.stream.Recv()
	assert.ErrorContains(t, err, "not found in registry")
}

func TestTheFirstMessageHasToBeRegister(t *testing.T) {
	for name, change := range map[string]func(*Options){"plain": func(*Options) {}, "TLS": withTLS} {
		t.Run(name, func(t *testing.T) {
			peer := start(t, scripts{"run": waits}, change)
			config, _ := peer.launch(t, peer.install(t, "kv"))
			c := connect(t, config)
			c.send(chat.ChaincodeMessage_COMPLETED, &chat.Response{}, nil)
			_, err := c.stream.Recv()
			assert.ErrorContains(t, err, map[string]string{
				"plain": "error handling message, ending stream: [] Fabric side handler cannot handle message (COMPLETED) while in created state",
				"TLS":   "First message needs to be a register",
			}[name])
		})
	}
}

func TestTLSRefusesUnknownClients(t *testing.T) {
	peer := start(t, scripts{"run": waits}, withTLS)
	config, _ := peer.launch(t, peer.install(t, "kv"))
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(config.RootCert))
	pair, err := tls.X509KeyPair([]byte(config.ClientCert), []byte(config.ClientKey))
	require.NoError(t, err)
	stranger, err := newAuthority()
	require.NoError(t, err)
	strangers, err := stranger.clientPair()
	require.NoError(t, err)
	foreign, err := tls.X509KeyPair(strangers.certPEM, strangers.keyPEM)
	require.NoError(t, err)

	tests := map[string]*tls.Config{
		"no certificate":       {RootCAs: roots},
		"another authority's":  {RootCAs: roots, Certificates: []tls.Certificate{foreign}},
		"TLS 1.1":              {RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
		"another name":         {RootCAs: roots, Certificates: []tls.Certificate{pair}, ServerName: "localhost"},
		"no trust in the peer": {Certificates: []tls.Certificate{pair}},
	}
	for name, config := range tests {
		t.Run(name, func(t *testing.T) {
			connection, err := tls.Dial("tcp", peer.Address(), config)
			if err == nil { // with TLS 1.3 the refusal comes with the first read
				defer connection.Close()
				_, err = connection.Read(make([]byte, 1))
			}
			assert.ErrorContains(t, err, "tls: ")
		})
	}
}

// The certificate's only name is the host, which may differ from the listen address.
func TestTheCertificatesOnlyNameIsTheHost(t *testing.T) {
	peer := start(t, nil, withTLS, func(o *Options) { o.Listen, o.Host = "0.0.0.0:0", "peer0.org1.example.com" })
	_, port, err := net.SplitHostPort(peer.Address())
	require.NoError(t, err)
	connection, err := tls.Dial("tcp", net.JoinHostPort("127.0.0.1", port), &tls.Config{InsecureSkipVerify: true})
	require.NoError(t, err)
	defer connection.Close()
	cert := connection.ConnectionState().PeerCertificates[0]
	assert.Equal(t, []string{"peer0.org1.example.com"}, cert.DNSNames)
	assert.Empty(t, cert.IPAddresses)
}

func TestAChaincodeThatClosesTheStreamGetsEOF(t *testing.T) {
	peer := start(t, scripts{"run": waits})
	id := peer.install(t, "kv")
	c := connected(t, peer, id)
	require.NoError(t, c.stream.CloseSend())
	_, err := c.stream.Recv()
	assert.EqualError(t, err, "rpc error: code = Unknown desc = EOF")
}

// After a stream has ended, the peer accepts the chaincode only after calling run again.
func TestARegistrationWithoutALaunchGetsNoAnswer(t *testing.T) {
	peer := start(t, scripts{"run": waits})
	id := peer.install(t, "kv")
	first := connected(t, peer, id)
	first.end()
	require.NoError(t, peer.Disconnected(soon(t), id))

	again := connect(t, configOf(t, peer.Runs(id)[0]))
	again.register(id)
	again.silence()
}

func TestASecondRegistrationGetsNoAnswerAndItsEndDropsTheFirst(t *testing.T) {
	peer := start(t, scripts{"run": waits})
	id := peer.install(t, "kv")
	first := connected(t, peer, id)
	second := connect(t, configOf(t, peer.Runs(id)[0]))
	second.register(id)
	answer := second.silence()
	require.True(t, peer.Connected(id), "the first is still there")

	require.NoError(t, second.stream.CloseSend()) // comes after REGISTER for sure, as a connection's end would not
	assert.EqualError(t, <-answer, "rpc error: code = Unknown desc = EOF", "there was no answer")

	require.NoError(t, peer.Disconnected(soon(t), id))
	first.silence() // it is not even told

	config, result := peer.launch(t, id)
	assert.Len(t, peer.Runs(id), 2, "the next launch calls run again")
	third := connect(t, config)
	third.register(id)
	third.welcomed()
	assert.NoError(t, <-result)
}

func TestALateChaincodeTakesTheNextLaunch(t *testing.T) {
	peer := start(t, scripts{"run": waits}, func(o *Options) { o.StartupTimeout = 50 * time.Millisecond })
	id := peer.install(t, "kv")
	late, result := peer.launch(t, id)
	require.ErrorIs(t, <-result, ErrStartupTimeout)
	peer.opts.StartupTimeout = wait
	_, result = peer.launch(t, id)

	c := connect(t, late)
	c.register(id)
	c.welcomed()

	assert.NoError(t, <-result, "the peer cannot tell the first run's chaincode from the second's")
}

func TestTheHealthServiceAnswers(t *testing.T) {
	peer := start(t, scripts{"run": waits}, withTLS)
	config, _ := peer.launch(t, peer.install(t, "kv"))
	connection, err := grpc.NewClient(config.PeerAddress, grpc.WithTransportCredentials(transportOf(t, config)))
	require.NoError(t, err)
	defer connection.Close()
	answer, err := grpc_health_v1.NewHealthClient(connection).Check(context.Background(), &grpc_health_v1.HealthCheckRequest{})
	require.NoError(t, err)
	assert.Equal(t, grpc_health_v1.HealthCheckResponse_SERVING, answer.GetStatus())
}
