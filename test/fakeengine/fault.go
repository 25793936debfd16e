// SPDX-License-Identifier: Apache-2.0

package fakeengine

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// Fault intercepts the calls to a route. It answers a call itself, lets it [Call.Pass], or both.
type Fault func(*Call)

// On adds a fault to a route. If there are several, the one added first gets a call first.
func (e *Engine) On(route Route, fault Fault) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.faults[route] = append(e.faults[route], fault)
}

// Once applies a fault to the next call only.
func Once(fault Fault) Fault { return Nth(1, fault) }

// Nth applies a fault to the nth call from now on.
func Nth(n int64, fault Fault) Fault {
	var calls atomic.Int64
	return func(c *Call) {
		if calls.Add(1) == n {
			fault(c)
			return
		}
		c.Pass()
	}
}

// Of applies a fault to calls whose target's name contains part.
func Of(part string, fault Fault) Fault {
	return func(c *Call) {
		if strings.Contains(c.Target, part) {
			fault(c)
			return
		}
		c.Pass()
	}
}

// Fail answers with an error, without the engine handling the call.
func Fail(status int, message string) Fault {
	return func(c *Call) { c.fail(status, "%s", message) }
}

// Answer answers with the given body, unchanged, without the engine handling the call.
func Answer(status int, body string) Fault {
	return func(c *Call) {
		c.w.Header().Set("Content-Type", "application/json")
		c.w.WriteHeader(status)
		c.w.Write([]byte(body))
	}
}

// Stream answers with what send writes, and flushes after each write, without the engine handling the call. The channel
// gone is closed when the client disconnects.
func Stream(send func(answer io.Writer, gone <-chan struct{})) Fault {
	return func(c *Call) {
		c.beginStream()
		send(flushing{c.w}, c.r.Context().Done())
	}
}

// Before calls do before the engine handles the call, for example to prune containers.
func Before(do func()) Fault {
	return func(c *Call) {
		do()
		c.Pass()
	}
}

// After calls do after the engine has handled the call, and before the client has the whole answer.
func After(do func()) Fault {
	return func(c *Call) {
		c.Pass()
		do()
	}
}

// Hang never answers.
func Hang() Fault {
	return func(c *Call) {
		select {
		case <-c.r.Context().Done():
		case <-c.engine.closed.Done():
		}
		panic(http.ErrAbortHandler)
	}
}

// NoAnswer lets the engine handle the call, but never answers.
func NoAnswer() Fault {
	return func(c *Call) {
		c.w = unsent{}
		c.Pass()
		Hang()(c)
	}
}

// unsent is an answer that is not sent.
type unsent struct{}

func (unsent) Header() http.Header         { return http.Header{} }
func (unsent) Write(p []byte) (int, error) { return len(p), nil }
func (unsent) WriteHeader(int)             {}

// Drop closes the connection, without the engine handling the call.
func Drop() Fault {
	return func(*Call) { panic(http.ErrAbortHandler) }
}

// Cut closes the connection in the middle of the answer, after that many bytes of its body. For an attach, the frames
// count as the body.
func Cut(after int) Fault {
	return func(c *Call) {
		c.w = &cutting{ResponseWriter: c.w, left: after}
		c.Pass()
	}
}

type cutting struct {
	http.ResponseWriter
	left int
}

func (w *cutting) Write(p []byte) (int, error) {
	if len(p) < w.left {
		w.left -= len(p)
		return w.ResponseWriter.Write(p)
	}
	w.ResponseWriter.Write(p[:w.left])
	w.Flush()
	panic(http.ErrAbortHandler)
}

func (w *cutting) Flush() {
	if flusher, ok := w.ResponseWriter.(http.Flusher); ok {
		flusher.Flush()
	}
}

func (w *cutting) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	return &cuttingConn{Conn: conn, left: w.left + len(upgraded)}, buffered, nil
}

type cuttingConn struct {
	net.Conn
	left int
}

func (c *cuttingConn) Write(p []byte) (int, error) {
	if len(p) < c.left {
		c.left -= len(p)
		return c.Conn.Write(p)
	}
	c.Conn.Write(p[:c.left])
	c.left = 0
	c.Conn.Close()
	return 0, net.ErrClosed
}

// stream is an answer that is still being sent.
type stream struct {
	route   Route
	follows bool          // it lasts as long as the container
	drop    chan struct{} // closed by Disconnect
}

// openStream registers a stream that Disconnect can cut, until the returned function is called.
func (e *Engine) openStream(route Route, follows bool) (*stream, func()) {
	s := &stream{route, follows, make(chan struct{})}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.streams[s] = true
	return s, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.streams, s)
	}
}

// Disconnect closes the connections of all answers on these routes (attach, logs, wait) that are still being sent.
func (e *Engine) Disconnect(routes ...Route) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for s := range e.streams {
		if slices.Contains(routes, s.route) {
			delete(e.streams, s)
			close(s.drop)
		}
	}
}

// AwaitStreams waits until that many answers on a route (attach, logs that are followed, wait) are being sent. After a minute
// it fails the test.
func (e *Engine) AwaitStreams(t testing.TB, route Route, count int) {
	t.Helper()
	for late := time.After(time.Minute); ; {
		if open := e.openStreams(route); open >= count {
			return
		}
		select {
		case <-late:
			t.Errorf("route %q has %d open streams, expected %d", route, e.openStreams(route), count)
			return
		case <-time.After(time.Millisecond):
		}
	}
}

func (e *Engine) openStreams(route Route) (open int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for s := range e.streams {
		if s.route == route && s.follows {
			open++
		}
	}
	return open
}
