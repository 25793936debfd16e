// SPDX-License-Identifier: Apache-2.0

package statusline

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

	"fabric-builder-docker/test/terminal"
)

// screen collects what is written to a terminal.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// show calls Set, and waits until the text is drawn.
func show(t *testing.T, l *Line, s *screen, text string) {
	t.Helper()
	l.Set(text)
	require.Eventually(t, func() bool { return strings.HasSuffix(s.String(), erase+text) }, time.Minute, time.Millisecond)
}

func TestLinesAreWrittenAboveTheStatusLine(t *testing.T) {
	s := &screen{}
	l := start(s, func() int { return 0 })
	fmt.Fprint(l, "first\n")
	show(t, l, s, "building, 1s")
	show(t, l, s, "building, 2s")
	l.Set("building, 2s") // is shown already
	fmt.Fprint(l, "second\nthird\n")
	show(t, l, s, "building, 2s")
	l.Close()
	l.Close()
	fmt.Fprint(l, "last\n")
	want := "first\n" + erase + "building, 1s" + erase + "building, 2s" + erase + "second\nthird\n" + erase + "building, 2s" + erase + "last\n"
	assert.Equal(t, want, s.String())
}

func TestTheStatusLineFitsIntoTheTerminal(t *testing.T) {
	for _, test := range []struct {
		text  string
		width int
		want  string
	}{
		{"building", 9, "building"},
		{"building", 8, "build…"},
		{"äöü", 7, "äöü"},
		{"äöü", 6, "ä…"},
		{"building", 3, "…"},
		{"building", 1, "…"},
		{"", 80, ""},
	} {
		assert.Equal(t, test.want, fit(test.text, test.width), "%q in %d columns", test.text, test.width)
	}
}

// The last line that a build has printed may hold colours.
func TestTheStatusLineHasNoControlCharacters(t *testing.T) {
	assert.Equal(t, "red text  and  more", plain("\x1b[31;1mred\x1b[0m text\t\nand\r\x1bmore"))
}

// blocked is a terminal that was stopped with ^S.
type blocked struct{ began, released chan struct{} }

func (b blocked) Write(p []byte) (int, error) {
	b.began <- struct{}{}
	<-b.released
	return len(p), nil
}

func TestAStoppedTerminalHoldsNobodyUp(t *testing.T) {
	b := blocked{make(chan struct{}, 10), make(chan struct{})}
	defer close(b.released)
	l := start(b, func() int { return 80 })
	l.Set("one")
	<-b.began
	for range 10 {
		l.Set("two")
	}
	l.Close()
}

func TestOnlyATerminalHasAStatusLine(t *testing.T) {
	pty := terminal.Open(t, 40)
	for _, term := range []string{"", "dumb"} {
		assert.Nil(t, New(pty.Slave, term), "TERM=%s", term)
	}
	assert.Nil(t, New(io.Discard, "xterm"))
	reader, writer, err := os.Pipe()
	require.NoError(t, err)
	defer reader.Close()
	defer writer.Close()
	assert.Nil(t, New(writer, "xterm"))
	file, err := os.Create(t.TempDir() + "/log")
	require.NoError(t, err)
	defer file.Close()
	assert.Nil(t, New(file, "xterm"))

	l := New(pty.Slave, "xterm")
	require.NotNil(t, l)
	l.Set(strings.Repeat("x", 50))
	pty.Await(t, erase+strings.Repeat("x", 37)+"…")
	pty.Resize(t, 20)
	l.Set(strings.Repeat("y", 50))
	pty.Await(t, erase+strings.Repeat("y", 17)+"…")
	l.Close()
}
