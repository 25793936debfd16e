// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// relayed connects to a server through a relay.
func relayed(t *testing.T, serve func(*net.UnixConn)) (*relay, *net.UnixConn) {
	t.Helper()
	dir := t.TempDir()
	listener, err := net.Listen("unix", filepath.Join(dir, "engine"))
	require.NoError(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(c.(*net.UnixConn))
		}
	}()
	r, err := startRelay(t.Context(), filepath.Join(dir, "relay"), "unix://"+filepath.Join(dir, "engine"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.close() })
	client, err := net.Dial("unix", filepath.Join(dir, "relay"))
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	require.NoError(t, client.SetDeadline(time.Now().Add(time.Minute)))
	return r, client.(*net.UnixConn)
}

// A client that has closed its direction still gets the answer, as with a container's streams.
func TestTheRelayPassesTheEndOfOneDirectionOn(t *testing.T) {
	r, client := relayed(t, func(c *net.UnixConn) {
		defer c.Close()
		said, _ := io.ReadAll(c) // until the client has said all
		_, _ = c.Write([]byte("you said " + string(said)))
	})
	_, err := client.Write([]byte("hello"))
	require.NoError(t, err)
	require.NoError(t, client.CloseWrite())
	answer, err := io.ReadAll(client)
	require.NoError(t, err)
	assert.Equal(t, "you said hello", string(answer))
	assert.EqualValues(t, 5, r.sent.Load())
	assert.EqualValues(t, 14, r.received.Load())
	assert.EqualValues(t, 19, r.total())
}

func TestTheRelayPassesOnWhatComesAfterTheEnginesEnd(t *testing.T) {
	got := make(chan string, 1)
	_, client := relayed(t, func(c *net.UnixConn) {
		defer c.Close()
		_ = c.CloseWrite()
		said, _ := io.ReadAll(c)
		got <- string(said)
	})
	answer, err := io.ReadAll(client)
	require.NoError(t, err)
	assert.Empty(t, answer)
	_, err = client.Write([]byte("still here"))
	require.NoError(t, err)
	require.NoError(t, client.CloseWrite())
	assert.Equal(t, "still here", <-got)
}

func TestAClosedRelayEndsItsConnections(t *testing.T) {
	accepted := make(chan struct{})
	r, client := relayed(t, func(c *net.UnixConn) {
		close(accepted)
		_, _ = io.ReadAll(c)
		c.Close()
	})
	<-accepted
	_, err := client.Write([]byte("x"))
	require.NoError(t, err)
	_ = r.close()
	_, err = io.ReadAll(client)
	assert.NotErrorIs(t, err, os.ErrDeadlineExceeded, "it has ended, nobody waits in vain")
}
