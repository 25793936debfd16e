package fakeengine

import (
	"bufio"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
)

// Fault stands between a client and a route. It answers the call itself, or lets it [Call.Pass], or both.
type Fault func(*Call)

// On puts a fault on a route. Of several the first one sees a call first.
func (e *Engine) On(route Route, fault Fault) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.faults[route] = append(e.faults[route], fault)
}

// Once is a fault of the next call alone.
func Once(fault Fault) Fault { return Nth(1, fault) }

// Nth is a fault of the nth call from now on.
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

// Of is a fault of calls whose target's name has that part.
func Of(part string, fault Fault) Fault {
	return func(c *Call) {
		if strings.Contains(c.Target, part) {
			fault(c)
			return
		}
		c.Pass()
	}
}

// Fail answers with an error and does nothing.
func Fail(status int, message string) Fault {
	return func(c *Call) { c.fail(status, "%s", message) }
}

// Answer answers with a body as it is.
func Answer(status int, body string) Fault {
	return func(c *Call) {
		c.w.Header().Set("Content-Type", "application/json")
		c.w.WriteHeader(status)
		c.w.Write([]byte(body))
	}
}

// Before does something before the call, such as pruning.
func Before(do func()) Fault {
	return func(c *Call) {
		do()
		c.Pass()
	}
}

// After does something after the work and before the client has the whole answer.
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

// Drop loses the connection before the engine has done anything.
func Drop() Fault {
	return func(*Call) { panic(http.ErrAbortHandler) }
}

// Cut loses the connection in the middle of the answer, after that many bytes of it. The frames of an attached
// container count, its HTTP header does not.
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

// stream is an answer that is still under way.
type stream struct {
	route Route
	drop  chan struct{}
}

// streaming registers a stream that Disconnect can cut.
func (e *Engine) streaming(route Route) (*stream, func()) {
	s := &stream{route, make(chan struct{})}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.streams[s] = true
	return s, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.streams, s)
	}
}

// Disconnect loses the connections of all answers of a route that are under way: attach, logs, wait.
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
