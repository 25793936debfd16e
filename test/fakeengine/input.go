package fakeengine

import (
	"io"
	"testing"
	"time"
)

// pipe is how much a container's standard input holds that nobody has read.
const pipe = 32 << 10

// feeder takes what a client writes to an attached connection. Nothing more is taken while the pipe is full, as it stays
// before the container is started.
type feeder struct {
	engine    *Engine
	container *container
	stream    *stream
}

func (f *feeder) Write(p []byte) (int, error) {
	c := f.container
	room := func() bool { return len(c.input) < pipe || c.closed || c.removed }
	if !f.engine.until(c, nil, f.stream.drop, room) {
		return 0, errKilled
	}
	f.engine.mu.Lock()
	defer f.engine.mu.Unlock()
	if !c.closed {
		c.input = append(c.input, p...)
		c.change()
	}
	return len(p), nil
}

// AwaitFullInput waits until a container's standard input takes no more: whoever writes to it is held up then.
func (e *Engine) AwaitFullInput(t testing.TB, name string) {
	t.Helper()
	e.mu.Lock()
	found := e.find(name)
	e.mu.Unlock()
	if found == nil || !e.until(found, time.After(time.Minute), nil, func() bool { return len(found.input) >= pipe }) {
		t.Errorf("the standard input of container %q was not filled", name)
	}
}

// hangUp ends the standard input of a container that has asked for that, when the connection that wrote to it is gone.
func (e *Engine) hangUp(c *container) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c.config.StdinOnce {
		c.closed = true
		c.change()
	}
}

// reader is a process's standard input. Without a client that writes it blocks, unless the container has none.
type reader struct {
	engine    *Engine
	container *container
	killed    <-chan struct{}
}

func (r *reader) Read(p []byte) (int, error) {
	c := r.container
	if !r.engine.until(c, nil, r.killed, func() bool { return len(c.input) > 0 || c.closed }) {
		return 0, errKilled
	}
	r.engine.mu.Lock()
	defer r.engine.mu.Unlock()
	if len(c.input) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.input)
	c.input = c.input[n:]
	c.change()
	return n, nil
}
