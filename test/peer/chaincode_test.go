// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"fabric-builder-docker/test/chat"
)

// waits is a run program that shows its directory and keeps running, so that the test can act as the chaincode.
const waits = `echo "dir $2" >&2; exec sleep 600`

// launch starts a launch and returns the configuration that run got, and a channel for the result.
func (f *fixture) launch(t *testing.T, id string) (runConfig, <-chan error) {
	t.Helper()
	seen := len(f.Runs(id))
	result := make(chan error, 1)
	go func() {
		_, err := f.Launch(context.Background(), id)
		result <- err
	}()
	require.Eventually(t, func() bool { return len(f.Runs(id)) > seen }, wait, tick)
	return configOf(t, f.Runs(id)[seen]), result
}

func configOf(t *testing.T, run *Process) runConfig {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(run.Args()[1], "chaincode.json"))
	require.NoError(t, err)
	var config runConfig
	require.NoError(t, json.Unmarshal(raw, &config))
	return config
}

// chaincode is the test's end of a stream.
type chaincode struct {
	t      *testing.T
	stream chat.ChaincodeSupport_RegisterClient
	end    func()
}

// connect opens a stream with the certificates of a launch.
func connect(t *testing.T, config runConfig) *chaincode {
	t.Helper()
	connection, err := grpc.NewClient(config.PeerAddress, grpc.WithTransportCredentials(transportOf(t, config)))
	require.NoError(t, err)
	stream, err := chat.NewChaincodeSupportClient(connection).Register(t.Context())
	require.NoError(t, err)
	end := func() { _ = connection.Close() }
	t.Cleanup(end)
	return &chaincode{t: t, stream: stream, end: end}
}

func transportOf(t *testing.T, config runConfig) credentials.TransportCredentials {
	t.Helper()
	if config.RootCert == "" {
		return insecure.NewCredentials()
	}
	pair, err := tls.X509KeyPair([]byte(config.ClientCert), []byte(config.ClientKey))
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM([]byte(config.RootCert)))
	return credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots})
}

func (c *chaincode) send(kind chat.ChaincodeMessage_Type, payload proto.Message, re *chat.ChaincodeMessage) {
	c.t.Helper()
	raw, err := proto.Marshal(payload)
	require.NoError(c.t, err)
	require.NoError(c.t, c.stream.Send(&chat.ChaincodeMessage{
		Type: kind, Payload: raw, Txid: re.GetTxid(), ChannelId: re.GetChannelId(),
	}))
}

func (c *chaincode) receive() *chat.ChaincodeMessage {
	c.t.Helper()
	message, err := c.stream.Recv()
	require.NoError(c.t, err)
	return message
}

func (c *chaincode) register(id string) {
	c.t.Helper()
	c.send(chat.ChaincodeMessage_REGISTER, &chat.ChaincodeID{Name: id}, nil)
}

// welcomed expects the two answers to REGISTER.
func (c *chaincode) welcomed() {
	c.t.Helper()
	require.Equal(c.t, chat.ChaincodeMessage_REGISTERED, c.receive().GetType())
	ready := c.receive()
	require.Equal(c.t, chat.ChaincodeMessage_READY, ready.GetType())
	require.True(c.t, proto.Equal(additional, parsed(c.t, ready.GetPayload(), &chat.ChaincodeAdditionalParams{})))
}

// silence expects that nothing arrives and that the stream stays open. It returns a channel for what arrives later.
func (c *chaincode) silence() <-chan error {
	c.t.Helper()
	arrived := make(chan error, 1)
	go func() {
		_, err := c.stream.Recv()
		arrived <- err
	}()
	select {
	case err := <-arrived:
		require.FailNow(c.t, "the peer answered", "error: %v", err)
	case <-expired(c.t).Done():
	}
	return arrived
}

// ask sends a request and expects its answer.
func (c *chaincode) ask(kind chat.ChaincodeMessage_Type, request proto.Message, re *chat.ChaincodeMessage) *chat.ChaincodeMessage {
	c.t.Helper()
	c.send(kind, request, re)
	answer := c.receive()
	require.Equal(c.t, re.GetTxid(), answer.GetTxid())
	require.Equal(c.t, re.GetChannelId(), answer.GetChannelId())
	return answer
}

// connected launches a chaincode and acts as it.
func connected(t *testing.T, f *fixture, id string) *chaincode {
	t.Helper()
	config, result := f.launch(t, id)
	c := connect(t, config)
	c.register(id)
	c.welcomed()
	require.NoError(t, <-result)
	return c
}
