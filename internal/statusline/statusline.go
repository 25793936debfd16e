// SPDX-License-Identifier: Apache-2.0

// Package statusline shows what a program is doing in the last line of a terminal, which is drawn again and again, below the
// lines that the program writes.
package statusline

import (
	"io"
	"os"
	"regexp"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/sys/unix"
)

const (
	erase        = "\r\x1b[K" // moves to the beginning of the line, and clears it
	defaultWidth = 80         // of a terminal that does not say
)

// Line is the status line of a terminal, and takes the whole lines for that terminal. It is safe for concurrent use.
type Line struct {
	out   io.Writer
	width func() int // columns
	wake  chan struct{}

	writing sync.Mutex // held while out is written to, which may take for ever: ^S stops a terminal
	shown   string

	mu   sync.Mutex
	want string
}

// New returns the status line of a terminal, or nil if the output is none, or one that cannot erase a line. Term is the variable
// TERM. The caller must call Close.
func New(out io.Writer, term string) *Line {
	file, ok := out.(*os.File)
	if !ok || term == "" || term == "dumb" {
		return nil
	}
	if _, isTerminal := columns(file); !isTerminal {
		return nil
	}
	return start(file, func() int {
		width, _ := columns(file)
		return width
	})
}

// columns returns the width of a terminal, and whether the file is one.
func columns(file *os.File) (width int, isTerminal bool) {
	connection, err := file.SyscallConn()
	if err != nil {
		return 0, false
	}
	err = connection.Control(func(fd uintptr) {
		if size, err := unix.IoctlGetWinsize(int(fd), unix.TIOCGWINSZ); err == nil {
			width, isTerminal = int(size.Col), true
		}
	})
	return width, err == nil && isTerminal
}

func start(out io.Writer, width func() int) *Line {
	l := &Line{out: out, width: width, wake: make(chan struct{}, 1)}
	go l.draw()
	return l
}

// Set shows text in place of what was shown, on one line and without colours; an empty text shows nothing. It never blocks.
// After lines have been written, nothing is shown until the next Set.
func (l *Line) Set(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.want = text
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// draw shows what Set has set last.
func (l *Line) draw() {
	for range l.wake {
		l.redraw()
	}
}

func (l *Line) redraw() {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	text := fit(plain(l.want), l.columns())
	l.mu.Unlock()
	if text != l.shown {
		l.shown = text
		io.WriteString(l.out, erase+text)
	}
}

// Write writes whole lines above the status line.
func (l *Line) Write(lines []byte) (int, error) {
	l.writing.Lock()
	defer l.writing.Unlock()
	if err := l.clear(); err != nil {
		return 0, err
	}
	return l.out.Write(lines)
}

// Close removes the status line, unless the terminal takes nothing.
func (l *Line) Close() {
	l.Set("")
	if l.writing.TryLock() {
		defer l.writing.Unlock()
		l.clear()
	}
}

func (l *Line) clear() error {
	if l.shown == "" {
		return nil
	}
	l.shown = ""
	_, err := io.WriteString(l.out, erase)
	return err
}

func (l *Line) columns() int {
	if width := l.width(); width > 0 {
		return width
	}
	return defaultWidth
}

var colours = regexp.MustCompile("\x1b\\[[0-9;:]*m")

// plain returns text without anything that moves the cursor or changes colours.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, colours.ReplaceAllString(text, ""))
}

// fit shortens text to less than width columns: some terminals begin a new line after the last one. It takes each character
// beyond ASCII for two columns wide, as some are.
func fit(text string, width int) string {
	columns, cut := 0, 0 // cut is where text is shortened
	for i, r := range text {
		size := 1
		if r > unicode.MaxASCII {
			size = 2
		}
		if columns+size > width-1 {
			return text[:cut] + "…"
		}
		if columns += size; columns <= width-3 {
			cut = i + len(string(r))
		}
	}
	return text
}
