// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// relay forwards connections to an engine and counts the bytes. It supports half-closed connections, which the streams
// of a container's output need.
type relay struct {
	listener net.Listener
	host     string
	sent     atomic.Int64 // to the engine
	received atomic.Int64 // from it

	mutex       sync.Mutex
	connections map[net.Conn]bool
	serving     sync.WaitGroup
}

// startRelay listens on a socket for an engine.
func startRelay(ctx context.Context, socket, host string) (*relay, error) {
	var listening net.ListenConfig
	listener, err := listening.Listen(ctx, "unix", socket)
	if err != nil {
		return nil, fmt.Errorf("listening for the engine: %w", err)
	}
	r := &relay{listener: listener, host: host, connections: map[net.Conn]bool{}}
	r.serving.Go(func() { r.serve(ctx) })
	return r, nil
}

func (r *relay) serve(ctx context.Context) {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return // closed
		}
		r.serving.Go(func() { r.pass(ctx, client) })
	}
}

// pass connects a client to the engine and copies until both sides are done.
func (r *relay) pass(ctx context.Context, client net.Conn) {
	defer client.Close()
	engine, err := dial(ctx, r.host)
	if err != nil {
		return // the client sees its connection end
	}
	defer engine.Close()
	if !r.hold(client, engine) {
		return
	}
	defer r.release(client, engine)
	var both sync.WaitGroup
	both.Go(func() { copyCounted(engine, client, &r.sent) })
	both.Go(func() { copyCounted(client, engine, &r.received) })
	both.Wait()
}

// copyCounted copies until one side closes its direction, and then closes that direction on the other.
func copyCounted(to, from net.Conn, count *atomic.Int64) {
	_, _ = io.Copy(to, counting{from, count}) // either end may have gone: the other one notices
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// counting counts what is read.
type counting struct {
	io.Reader
	count *atomic.Int64
}

func (c counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.count.Add(int64(n))
	return n, err
}

// hold records connections for close, and returns false after close.
func (r *relay) hold(connections ...net.Conn) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.connections == nil {
		return false
	}
	for _, c := range connections {
		r.connections[c] = true
	}
	return true
}

func (r *relay) release(connections ...net.Conn) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for _, c := range connections {
		delete(r.connections, c)
	}
}

// total returns the bytes of both directions, after the clients have disconnected.
func (r *relay) total() float64 { return float64(r.sent.Load() + r.received.Load()) }

// close closes the relay and all its connections.
func (r *relay) close() error {
	err := r.listener.Close()
	r.mutex.Lock()
	for c := range r.connections {
		err = errors.Join(err, c.Close())
	}
	r.connections = nil
	r.mutex.Unlock()
	r.serving.Wait()
	return err
}
