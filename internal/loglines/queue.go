// SPDX-License-Identifier: Apache-2.0

package loglines

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"
)

// queueSize is the capacity of a Queue in bytes: enough for a burst, small compared with the program itself.
const queueSize = 256 << 10

// writeSize is the largest single write in bytes. It is small so that a slow reader shows progress.
const writeSize = 2 * MaxLine

// Queue buffers whole lines for a reader that may be slow, stuck or gone, so that writers never block for ever.
//
// A slow reader slows the writers down and loses no lines. A reader is stuck if it reads nothing for longer than the
// queue's patience: the queue then drops and counts lines, and reports the count in a separate line once the reader
// continues. If the reader is gone (a closed pipe), all lines are discarded. After the moment that Hurry sets, the queue waits
// for no reader: if it is full, the newest lines take the place of the others.
type Queue struct {
	out      io.Writer
	patience time.Duration
	limit    int

	mu       sync.Mutex
	moved    *sync.Cond // signalled when lines arrive or leave, time has passed, or the queue is closing
	waiting  []byte     // whole lines that are not being written yet
	writing  bool       // a write is in progress
	since    time.Time  // when the write in progress began
	dropped  int        // lines dropped and not reported yet
	gone     bool       // the reader has closed its end
	hurry    time.Time  // see Hurry; zero: not called
	closing  bool
	last     time.Time                // see LastWrite
	report   func(dropped int) []byte // see SetReport
	finished chan struct{}
}

// NewQueue starts a queue that writes to out. Patience is how long a full queue waits for a reader that reads nothing.
// The caller must call Close.
func NewQueue(out io.Writer, patience time.Duration) *Queue {
	q := &Queue{out: out, patience: patience, limit: queueSize, finished: make(chan struct{}), report: reportDropped}
	q.moved = sync.NewCond(&q.mu)
	go q.drain()
	return q
}

// SetReport sets the function that returns the line about dropped lines. It must not write to the queue.
func (q *Queue) SetReport(report func(dropped int) []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.report = report
}

// Write queues whole lines, each with its newline. It never fails; it drops lines if the reader is stuck or gone.
func (q *Queue) Write(lines []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.last = time.Now()
	for rest := lines; len(rest) > 0; {
		piece := wholeLines(rest, writeSize)
		rest = rest[len(piece):]
		q.put(piece)
	}
	return len(lines), nil
}

// LastWrite returns when lines were last queued, or zero.
func (q *Queue) LastWrite() time.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.last
}

// Hurry makes the queue wait for no reader from that moment on, since the program is about to be killed.
func (q *Queue) Hurry(from time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.hurry = from
	q.moved.Broadcast()
}

// hurryTime is how long Close waits for a reader that makes progress when the queue is in a hurry.
const hurryTime = 300 * time.Millisecond

// Close writes what is left and ends the queue. It waits as long as the reader makes progress, and no longer than the
// queue's patience for a reader that does not.
func (q *Queue) Close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closing = true
	q.moved.Broadcast()
	for began := time.Now(); !q.done() && !q.stuck() && !(q.inHurry() && time.Since(began) >= hurryTime); {
		q.wait()
	}
}

func (q *Queue) inHurry() bool { return !q.hurry.IsZero() && !time.Now().Before(q.hurry) }

// put queues one piece of whole lines, or drops it.
func (q *Queue) put(piece []byte) {
	for len(q.waiting)+len(piece) > q.limit && !q.gone {
		if q.inHurry() {
			q.dropped += bytes.Count(q.waiting, []byte("\n"))
			q.waiting = q.waiting[:0]
			q.reportDropped()
			break
		}
		if q.stuck() {
			q.dropped += bytes.Count(piece, []byte("\n"))
			return
		}
		q.wait()
	}
	if q.gone {
		return
	}
	q.waiting = append(q.waiting, piece...)
	q.moved.Broadcast()
}

// stuck reports whether the write in progress has lasted longer than the queue's patience.
func (q *Queue) stuck() bool { return q.writing && time.Since(q.since) >= q.patience }

// done reports whether drain has returned.
func (q *Queue) done() bool {
	select {
	case <-q.finished:
		return true
	default:
		return false
	}
}

// wait blocks until the queue changes, or until the write in progress counts as stuck.
func (q *Queue) wait() {
	limit := q.patience
	if !q.hurry.IsZero() {
		limit = min(limit, max(time.Until(q.hurry), hurryTime/10))
	}
	alarm := time.AfterFunc(limit, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.moved.Broadcast()
	})
	defer alarm.Stop()
	q.moved.Wait()
}

// drain writes queued lines until the queue is closed and empty.
func (q *Queue) drain() {
	defer func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		close(q.finished)
		q.moved.Broadcast()
	}()
	for {
		piece, ok := q.next()
		if !ok {
			return
		}
		_, err := q.out.Write(piece)
		q.written(err)
	}
}

// next waits for lines and returns the next piece to write. It returns false once the queue is closing and empty.
func (q *Queue) next() ([]byte, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) == 0 {
		if q.closing {
			return nil, false
		}
		q.moved.Wait()
	}
	piece := bytes.Clone(wholeLines(q.waiting, writeSize))
	q.waiting = q.waiting[:copy(q.waiting, q.waiting[len(piece):])]
	q.writing, q.since = true, time.Now()
	return piece, true
}

// written records the end of a write, and queues the report of dropped lines.
func (q *Queue) written(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.writing = false
	if err != nil {
		q.gone, q.waiting = true, nil
	}
	q.reportDropped()
	q.moved.Broadcast()
}

// reportDropped queues the report of dropped lines, if there are any.
func (q *Queue) reportDropped() {
	if q.dropped > 0 && !q.gone {
		q.waiting = append(q.waiting, q.report(q.dropped)...)
		q.dropped = 0
	}
}

func reportDropped(dropped int) []byte {
	return fmt.Appendf(nil, "[WARN]  %d lines dropped here because stderr was not read\n", dropped)
}

// wholeLines returns as many of the first lines as fit into size, but at least one.
func wholeLines(lines []byte, size int) []byte {
	if len(lines) <= size {
		return lines
	}
	if end := bytes.LastIndexByte(lines[:size], '\n'); end >= 0 {
		return lines[:end+1]
	}
	if end := bytes.IndexByte(lines, '\n'); end >= 0 {
		return lines[:end+1]
	}
	return lines
}
