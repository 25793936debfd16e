package loglines

import (
	"bytes"
	"fmt"
	"io"
	"sync"
	"time"
)

// queueSize bounds what a Queue holds, in bytes: enough for a burst, small beside the program itself.
const queueSize = 256 << 10

// writeSize bounds one write to the reader, in bytes, so that a slow reader is seen to move.
const writeSize = 2 * MaxLine

// Queue is a bounded buffer between whole lines and a reader that may be slow, stuck or gone.
//
// A slow reader slows its writers down and loses nothing. A reader that takes nothing for longer than the queue's
// patience is stuck: lines are then dropped and counted, and the count is reported in a line of its own as soon as
// the reader moves again. A reader that is gone (a closed pipe) takes everything silently. So nobody who writes here
// is held up for good, whatever the peer does with stderr.
type Queue struct {
	out      io.Writer
	patience time.Duration
	limit    int

	mu       sync.Mutex
	moved    *sync.Cond // lines came, lines left, time passed, or closing
	waiting  []byte     // whole lines that nobody writes yet
	writing  bool       // a write is under way
	since    time.Time  // when the write under way began
	dropped  int        // lines dropped and not reported yet
	gone     bool       // the reader has closed its end
	closing  bool
	finished chan struct{}
}

// NewQueue starts a queue that writes to out. Patience is how long a full queue waits for a reader that takes
// nothing. Close ends it.
func NewQueue(out io.Writer, patience time.Duration) *Queue {
	q := &Queue{out: out, patience: patience, limit: queueSize, finished: make(chan struct{})}
	q.moved = sync.NewCond(&q.mu)
	go q.drain()
	return q
}

// Write takes whole lines, each with its newline. It never fails; lines that a stuck reader cannot take are dropped.
func (q *Queue) Write(lines []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for rest := lines; len(rest) > 0; {
		piece := wholeLines(rest, writeSize)
		rest = rest[len(piece):]
		q.put(piece)
	}
	return len(lines), nil
}

// Close brings out what is left and ends the queue. It waits for a reader that moves, and no longer than the queue's
// patience for one that does not.
func (q *Queue) Close() {
	q.mu.Lock()
	q.closing = true
	q.moved.Broadcast()
	for !q.done() && !q.stuck() {
		q.wait()
	}
	q.mu.Unlock()
}

func (q *Queue) put(piece []byte) {
	for len(q.waiting)+len(piece) > q.limit && !q.gone {
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

// stuck says whether the write under way has lasted longer than the queue's patience.
func (q *Queue) stuck() bool { return q.writing && time.Since(q.since) >= q.patience }

func (q *Queue) done() bool {
	select {
	case <-q.finished:
		return true
	default:
		return false
	}
}

// wait sleeps until something moves, or until the write under way counts as stuck.
func (q *Queue) wait() {
	alarm := time.AfterFunc(q.patience, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.moved.Broadcast()
	})
	defer alarm.Stop()
	q.moved.Wait()
}

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

// next waits for lines to write. It reports false once the queue is closing and empty.
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

func (q *Queue) written(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.writing = false
	if err != nil {
		q.gone, q.waiting = true, nil
	}
	if q.dropped > 0 && !q.gone {
		q.waiting = fmt.Appendf(q.waiting, "[WARN]  %d lines dropped here: nobody read stderr\n", q.dropped)
		q.dropped = 0
	}
	q.moved.Broadcast()
}

// wholeLines is as much of the front of lines as fits into size, cut after a newline. A single line that is longer
// is taken whole.
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
