// SPDX-License-Identifier: Apache-2.0

package fakeengine

import (
	"io"
	"testing"
	"time"
)

// pipeSize is how many bytes of standard input a container buffers, as a pipe does.
const pipeSize = 32 << 10

// inputWriter adds what an attached client writes to a container's standard input. While the pipe is full, Write
// blocks; before the container is started, nothing empties it.
type inputWriter struct {
	engine    *Engine
	container *container
	stream    *stream
}

func (w *inputWriter) Write(p []byte) (int, error) {
	c := w.container
	room := func() bool { return len(c.input) < pipeSize || c.closed || c.removed }
	if !w.engine.waitFor(c, nil, w.stream.drop, room) {
		return 0, errKilled
	}
	w.engine.mu.Lock()
	defer w.engine.mu.Unlock()
	if !c.closed {
		c.input = append(c.input, p...)
		c.notify()
	}
	return len(p), nil
}

// AwaitFullInput waits until a container's standard input is full, so that a further write blocks. After a minute it
// fails the test.
func (e *Engine) AwaitFullInput(t testing.TB, name string) {
	t.Helper()
	e.mu.Lock()
	found := e.find(name)
	e.mu.Unlock()
	if found == nil || !e.waitFor(found, time.After(time.Minute), nil, func() bool { return len(found.input) >= pipeSize }) {
		t.Errorf("the standard input of container %q was not filled", name)
	}
}

// closeInput ends the standard input of a container with StdinOnce when the attached client disconnects.
func (e *Engine) closeInput(c *container) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c.config.StdinOnce {
		c.closed = true
		c.notify()
	}
}

// inputReader is a process's standard input. Read blocks until a client writes, and returns io.EOF when standard input
// is closed.
type inputReader struct {
	engine    *Engine
	container *container
	killed    <-chan struct{}
}

func (r *inputReader) Read(p []byte) (int, error) {
	c := r.container
	if !r.engine.waitFor(c, nil, r.killed, func() bool { return len(c.input) > 0 || c.closed }) {
		return 0, errKilled
	}
	r.engine.mu.Lock()
	defer r.engine.mu.Unlock()
	if len(c.input) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.input)
	c.input = c.input[n:]
	c.notify()
	return n, nil
}
