// SPDX-License-Identifier: Apache-2.0

package fakeengine

import (
	"encoding/binary"
	"io"
	"net/http"
	"time"
)

// chunk is the result of one write of a process.
type chunk struct {
	stream byte // 1: stdout, 2: stderr
	time   time.Time
	data   []byte
}

// upgraded is the head of the answer to an attach.
const upgraded = "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.multiplexed-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"

func (e *Engine) attach(c *Call) {
	e.mu.Lock()
	found := c.findContainer()
	if found == nil {
		e.mu.Unlock()
		return
	}
	from, exits := len(found.output), found.exits
	e.mu.Unlock()
	s, done := e.openStream(Attach, true)
	defer done()
	conn, _, err := http.NewResponseController(c.w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, upgraded); err != nil {
		return
	}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if c.Query.Get("stdin") == "1" {
			io.Copy(&inputWriter{e, found, s}, conn)
			e.closeInput(found)
		}
		io.Copy(io.Discard, conn)
	}()
	// An attach to a container that has already exited never ends, as on all engines.
	e.copyOutput(found, conn, from, s, gone, func() bool { return found.exits > exits || found.removed || found.status == "removing" })
}

// copyOutput writes a container's output in frames until complete, called under the lock, returns true. It returns false
// if the stream was cut or the client disconnected before that.
func (e *Engine) copyOutput(c *container, out io.Writer, from int, s *stream, gone <-chan struct{}, complete func() bool) bool {
	return e.copyFrames(c, out, s, gone, complete, func() (frames [][]byte) {
		for _, chunk := range c.output[from:] {
			frames = append(frames, frame(chunk))
		}
		from = len(c.output)
		return frames
	})
}

// copyFrames writes the frames that next, called under the lock, returns.
func (e *Engine) copyFrames(c *container, out io.Writer, s *stream, gone <-chan struct{}, complete func() bool, next func() [][]byte) bool {
	for {
		e.mu.Lock()
		frames, done, changed := next(), complete(), c.changed
		e.mu.Unlock()
		for _, frame := range frames {
			if _, err := out.Write(frame); err != nil {
				return false
			}
		}
		if done {
			return true
		}
		select {
		case <-changed:
		case <-s.drop:
			return false
		case <-gone:
			return false
		case <-e.closed.Done():
			return false
		}
	}
}

func frame(c chunk) []byte {
	header := make([]byte, 8, 8+len(c.data))
	header[0] = c.stream
	binary.BigEndian.PutUint32(header[4:], uint32(len(c.data)))
	return append(header, c.data...)
}

// flushing flushes after every write.
type flushing struct{ w http.ResponseWriter }

func (f flushing) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	f.flush()
	return n, err
}

func (f flushing) flush() {
	if flusher, ok := f.w.(http.Flusher); ok {
		flusher.Flush()
	}
}
