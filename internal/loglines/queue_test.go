// SPDX-License-Identifier: Apache-2.0

package loglines_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/loglines"
)

func TestQueueLosesNothingToASlowReader(t *testing.T) {
	reader, writer := io.Pipe()
	q := loglines.NewQueue(writer, time.Minute)
	var got bytes.Buffer
	done := make(chan error, 1)
	go func() {
		_, err := io.CopyBuffer(&got, struct{ io.Reader }{reader}, make([]byte, 512))
		done <- err
	}()
	var want strings.Builder
	for i := range 100_000 {
		line := fmt.Sprintf("line %d\n", i)
		want.WriteString(line)
		_, err := q.Write([]byte(line))
		require.NoError(t, err)
	}
	q.Close()
	require.NoError(t, writer.Close())
	require.NoError(t, <-done)
	assert.Equal(t, want.String(), got.String())
}

// A peer that reads slowly must not keep a program from its last line until the peer kills it.
func TestQueueInAHurryKeepsTheNewestLines(t *testing.T) {
	reader := &gate{open: make(chan struct{})}
	q := loglines.NewQueue(reader, time.Minute)
	q.Hurry(time.Now())
	const lines = 100_000 // far more than the queue holds
	for i := range lines {
		_, err := fmt.Fprintf(q, "line %d\n", i)
		require.NoError(t, err)
	}
	_, err := q.Write([]byte("the last line\n"))
	require.NoError(t, err)
	close(reader.open)
	q.Close()
	reader.await(t, "the last line\n")
	assert.Contains(t, reader.text(), "lines dropped here")
	assert.True(t, strings.HasSuffix(reader.text(), fmt.Sprintf("line %d\nthe last line\n", lines-1)))
}

func TestQueueInAHurryIsClosedAlthoughItsReaderIsSlow(t *testing.T) {
	reader := &gate{open: make(chan struct{})}
	defer close(reader.open)
	q := loglines.NewQueue(reader, time.Hour)
	_, err := q.Write([]byte("a line\n"))
	require.NoError(t, err)
	q.Hurry(time.Now())
	q.Close() // or else for an hour
}

func TestQueueDropsAndCountsLinesWhenTheReaderIsStuck(t *testing.T) {
	reader := &gate{open: make(chan struct{})}
	q := loglines.NewQueue(reader, 20*time.Millisecond)
	const lines = 100_000 // far more than the queue holds
	for i := range lines {
		_, err := fmt.Fprintf(q, "line %d\n", i)
		require.NoError(t, err)
	}
	close(reader.open)
	reader.await(t, "lines dropped here")
	_, err := q.Write([]byte("after\n"))
	require.NoError(t, err)
	reader.await(t, "after\n") // Close would not wait for long enough: on a busy machine this reader looks stuck as well
	q.Close()

	got := strings.Split(strings.TrimSpace(reader.text()), "\n")
	var dropped int
	_, err = fmt.Sscanf(got[len(got)-2], "[WARN]  %d lines dropped", &dropped)
	require.NoError(t, err, got[len(got)-2])
	assert.Equal(t, "after", got[len(got)-1])
	assert.Equal(t, lines, dropped+len(got)-2, "every line is written or counted")
	assert.Equal(t, "line 0", got[0])
}

func TestQueueCloseDoesNotWaitForAStuckReader(t *testing.T) {
	reader := &gate{open: make(chan struct{})}
	q := loglines.NewQueue(reader, 10*time.Millisecond)
	_, err := q.Write([]byte("a\n"))
	require.NoError(t, err)
	q.Close() // returns: the test would hang otherwise
	assert.Empty(t, reader.text())
	close(reader.open)
}

func TestQueueDiscardsEverythingWhenTheReaderIsGone(t *testing.T) {
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, reader.Close())
	q := loglines.NewQueue(writer, time.Minute)
	for range 100_000 {
		_, err := q.Write([]byte("nobody reads this line\n"))
		require.NoError(t, err)
	}
	q.Close()
}

// gate blocks every write until it is opened.
type gate struct {
	open chan struct{}
	mu   sync.Mutex
	got  bytes.Buffer
}

func (g *gate) Write(p []byte) (int, error) {
	<-g.open
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.got.Write(p)
}

func (g *gate) await(t *testing.T, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(g.text(), text) }, time.Minute, time.Millisecond)
}

func (g *gate) text() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.got.String()
}
