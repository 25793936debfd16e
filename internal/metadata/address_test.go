// SPDX-License-Identifier: Apache-2.0

package metadata_test

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"

	"fabric-builder-docker/internal/metadata"
)

func TestAddressesThatGRPCTakesAreAccepted(t *testing.T) {
	for _, address := range []string{
		"cc.example.com:9999", "cc.example.com.:9999", "peer0_basic:9999", "10.0.0.1:9999", ":9999", "[::1]:9999", "[fe80::1%eth0]:9999",
		"cc:https", "café:9999", "dns:///cc.example.com:9999", "dns:cc.example.com:9999", "dns:///cc.example.com", "dns:///[::1]:9999",
		"dns:///:9999", "dns://8.8.8.8/cc:9999", "dns://8.8.8.8:53/cc:9999", "DNS:///cc:9999",
		"passthrough:///cc:9999", "passthrough:cc:9999", "passthrough:///[::1]:9999",
		"unix:/run/cc.sock", "unix:///run/cc.sock", "unix:cc.sock", "unix:/run/a file", "unix-abstract:cc", "unix-abstract:///cc",
	} {
		assert.NoError(t, metadata.Connection{Address: address}.Check(), address)
	}
}

func TestAddressesThatGRPCDoesNotTakeAreRefused(t *testing.T) {
	long := strings.Repeat("a", 64)
	for _, address := range []string{
		"cc", "cc:", "cc:0", "cc:99999", "cc:-1", "cc:not-a-service", "c c:9999", "cc\n:9999", "cc:9999\n", "cc..example:9999", "cc/x:9999",
		long + ":9999", strings.Repeat("a.", 127) + "a:9999", "::1:9999", "[::1]", "[fe80::1%" + long + "]:9999", "1.2.3.4:1,5.6.7.8:1",
		"grpc://cc:9999", "http://cc:9999", "xds:///cc:9999", "ipv4:127.0.0.1:9999", "ipv6:[::1]:9999", "ipv4:127.0.0.1:9999,127.0.0.2:9999",
		"dns:", "dns:///", "dns:///cc:", "dns:///cc:0", "dns:///c c", "dns:///cc:9999?x=y", "dns:///cc:9999#x", "dns://user@8.8.8.8/cc:9999", "dns://c c/cc:1",
		"passthrough:", "passthrough:///", "passthrough:///cc", "passthrough://cc/cc:9999",
		"unix:", "unix:///", "unix:/run/", "unix://cc/sock", "unix:/run/" + strings.Repeat("a", 108), "unix:/run/\u2028", "unix-abstract:", "unix-abstract://cc/x",
	} {
		err := metadata.Connection{Address: address}.Check()
		require.EqualError(t, err, `checking connection.json: invalid "address": `+
			"expected host:port, or dns:///host:port, passthrough:///host:port, unix:/path or unix-abstract:name", "%q", address)
	}
}

// The peer uses gRPC for Go, whose addresses are not those of gRPC for other languages.
func TestGRPCAgreesAboutAddresses(t *testing.T) {
	dir := t.TempDir()
	serve := func(network, address string) string {
		listener, err := net.Listen(network, address)
		require.NoError(t, err)
		server := grpc.NewServer()
		go server.Serve(listener)
		t.Cleanup(server.Stop)
		return listener.Addr().String()
	}
	tcp := serve("tcp", "127.0.0.1:0")
	_, port, err := net.SplitHostPort(tcp)
	require.NoError(t, err)
	socket := serve("unix", filepath.Join(dir, "cc.sock"))
	abstract := strings.TrimPrefix(serve("unix", "@fabric-builder-docker-test-"+port), "@")
	slash := strings.TrimPrefix(serve("unix", "@/fabric-builder-docker-test-"+port), "@")
	for _, address := range []string{
		tcp, ":" + port, "dns:///" + tcp, "dns:" + tcp, "passthrough:///" + tcp, "passthrough:" + tcp, "unix:" + socket, "unix://" + socket,
		"unix-abstract:" + abstract, "unix-abstract://" + slash,
		"ipv4:" + tcp, "ipv4:///" + tcp, "ipv4:" + tcp + "," + tcp, "grpc://" + tcp, "http://" + tcp, "unix://" + tcp + socket, tcp + "," + tcp,
	} {
		accepted := metadata.Connection{Address: address}.Check() == nil
		assert.Equal(t, dials(t, address), accepted, address)
	}
}

// dials reports whether gRPC connects to an address.
func dials(t *testing.T, address string) bool {
	t.Helper()
	client, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy())
	if err != nil {
		return false
	}
	defer client.Close()
	client.Connect()
	for state := client.GetState(); ; state = client.GetState() {
		switch state {
		case connectivity.Ready:
			return true
		case connectivity.TransientFailure, connectivity.Shutdown:
			return false
		}
		if !client.WaitForStateChange(t.Context(), state) {
			return false
		}
	}
}

func TestATimeoutOfNanosecondsIsRecognised(t *testing.T) {
	for timeout, want := range map[string]bool{
		"10": true, `"10ns"`: true, `"999us"`: true, "3000": true, "1000000": false, `"10s"`: false, "0": false, `""`: false, `"x"`: false, "10000000000": false,
	} {
		c, err := connection(t, `{"address":"cc:1","dial_timeout":`+timeout+`}`)
		require.NoError(t, err)
		assert.Equal(t, want, c.IsTooFast(), timeout)
	}
}
