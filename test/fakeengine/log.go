// SPDX-License-Identifier: Apache-2.0

package fakeengine

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// appendLog adds what a process has written to the container's log. As engines do, it keeps whole lines only, and splits
// long ones into pieces, which share the stamp of the first. The caller holds the lock.
func (e *Engine) appendLog(c *container, stream byte, data []byte) {
	size := 16 << 10
	if e.podman {
		size = 8 << 10
	}
	line := &c.unlogged[stream-1]
	for len(data) > 0 {
		end := bytes.IndexByte(data, '\n') + 1
		if end == 0 {
			end = len(data)
		}
		end = min(end, size-len(line.data))
		if len(line.data) == 0 && !line.open {
			line.time = e.nowLocked()
		}
		line.stream, line.data, data = stream, append(line.data, data[:end]...), data[end:]
		whole := bytes.HasSuffix(line.data, []byte("\n"))
		if whole || len(line.data) == size {
			c.log = append(c.log, line.chunk)
			line.data, line.open = nil, !whole
		}
	}
}

// endLog adds last lines without a newline to the container's log. The caller holds the lock.
func (c *container) endLog() {
	for i := range c.unlogged {
		if line := &c.unlogged[i]; len(line.data) > 0 {
			line.data = append(line.data, '\n')
			c.log = append(c.log, line.chunk)
		}
		c.unlogged[i] = unlogged{}
	}
}

// unlogged is the beginning of a line, or of a piece of one.
type unlogged struct {
	chunk
	open bool // pieces of the same line are in the log
}

// Rotate makes a container's log lose all but its last pieces. Reads that follow the log then send again what is kept, as
// they often do on engines.
func (e *Engine) Rotate(name string, keep int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c := e.find(name); c != nil {
		c.lost += max(0, len(c.log)-keep)
		c.log = c.log[max(0, len(c.log)-keep):]
		c.rotations++
		c.notify()
	}
}

// logs serves the log, which tail and since may shorten.
func (e *Engine) logs(c *Call) {
	e.mu.Lock()
	found := c.findUsable()
	e.mu.Unlock()
	if found == nil {
		return
	}
	follow := c.Query.Get("follow") == "1"
	s, done := e.openStream(Logs, follow)
	defer done()
	c.w.Header().Set("Content-Type", "application/vnd.docker.multiplexed-stream")
	c.w.WriteHeader(http.StatusOK)
	out := flushing{c.w}
	out.flush()
	complete := func() bool { return !follow || found.status == "exited" || found.removed }
	reader := &logReader{container: found, since: parseSince(c.Query.Get("since")), stamp: e.stamper(c.Query.Get("timestamps") == "1")}
	e.mu.Lock()
	if tail, err := strconv.Atoi(c.Query.Get("tail")); err == nil {
		reader.next = max(0, len(found.log)-tail)
	}
	reader.next, reader.rotations = reader.next+found.lost, found.rotations
	e.mu.Unlock()
	if !e.copyFrames(found, out, s, c.r.Context().Done(), complete, reader.frames) {
		panic(http.ErrAbortHandler)
	}
}

// stamper returns a function that gives a piece of the log its time stamp. Those of podman are whole seconds.
func (e *Engine) stamper(stamps bool) func(chunk) chunk {
	layout := "2006-01-02T15:04:05.000000000Z07:00"
	if e.podman {
		layout = time.RFC3339
	}
	return func(c chunk) chunk {
		if stamps {
			c.data = append([]byte(c.time.UTC().Format(layout)+" "), c.data...)
		}
		return c
	}
}

// logReader is one read of a log.
type logReader struct {
	container *container
	next      int // of all the pieces that the log ever had
	rotations int // seen so far
	since     time.Time
	stamp     func(chunk) chunk
}

// frames returns the next pieces in frames. The caller holds the lock.
func (r *logReader) frames() (frames [][]byte) {
	c := r.container
	if r.rotations != c.rotations {
		r.rotations, r.next = c.rotations, c.lost
	}
	for _, piece := range c.log[max(0, r.next-c.lost):] {
		if !piece.time.Before(r.since) {
			frames = append(frames, frame(r.stamp(piece)))
		}
	}
	r.next = c.lost + len(c.log)
	return frames
}

// parseSince parses a time of the form SECONDS.NANOSECONDS.
func parseSince(text string) time.Time {
	if text == "" || text == "0" {
		return time.Time{}
	}
	whole, fraction, _ := strings.Cut(text, ".")
	seconds, _ := strconv.ParseInt(whole, 10, 64)
	nanoseconds, _ := strconv.ParseInt(fraction, 10, 64)
	return time.Unix(seconds, nanoseconds)
}
