// SPDX-License-Identifier: Apache-2.0

// Package loglines writes output to stderr in a form that the peer can read: whole lines of at most 16 KiB, without ever
// blocking the program for good, and without characters that change what else the reader sees.
//
// The peer reads the stderr of an external builder with a line scanner that gives up at lines of 64 KiB and never reads
// the pipe again. [Writer] splits a stream into lines, [Queue] passes them to a reader that may be slow, stuck or gone.
// Names, messages and output are other people's text: see [Safe] for what is made visible in all that is written.
package loglines

import (
	"bytes"
	"io"
	"unicode/utf8"
)

// MaxLine is the length in bytes of the longest line that a Writer writes, including prefix and newline.
const MaxLine = 16 << 10

// Writer splits a byte stream into lines, adds a prefix to each, and makes them safe as [Safe] does. A line that is too long
// continues in further lines with the same prefix, never split inside a UTF-8 character. Close writes an unfinished last line.
//
// A carriage return ends a line, too: at a terminal, what follows would overwrite the prefix.
//
// A Writer is for one stream and is not safe for concurrent use. Several Writers may share a sink that is.
type Writer struct {
	// DropOverwritten drops text that a carriage return makes the next text overwrite, as at a terminal, instead of showing
	// it as a line: of a progress bar, only the last state is left.
	DropOverwritten bool

	sink     io.Writer
	prefix   []byte
	partial  []byte // the unfinished line, without prefix
	returned bool   // a carriage return came last
	block    []byte // whole lines for the next write
}

// NewWriter returns a Writer that adds prefix to every line and writes whole lines to sink, several at once if it has
// them. A prefix longer than a quarter of MaxLine is cut off.
func NewWriter(sink io.Writer, prefix string) *Writer {
	prefix = Safe(prefix)
	if len(prefix) > MaxLine/4 {
		prefix = prefix[:MaxLine/4]
	}
	return &Writer{sink: sink, prefix: []byte(prefix)}
}

// Write accepts any piece of the stream. It returns the error of the sink.
func (w *Writer) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			w.extend(rest)
			break
		}
		w.extend(rest[:end])
		w.endLine()
		rest = rest[end+1:]
	}
	return len(p), w.flush()
}

// Close writes the last line if the stream did not end with a newline. It does not close the sink.
func (w *Writer) Close() error {
	if len(w.partial) > 0 {
		w.finishLine()
	}
	return w.flush()
}

// textSize returns how many bytes fit between prefix and newline.
func (w *Writer) textSize() int { return MaxLine - len(w.prefix) - 1 }

// extend adds text without a newline.
func (w *Writer) extend(text []byte) {
	for {
		end := bytes.IndexByte(text, '\r')
		if end < 0 {
			w.add(text)
			return
		}
		w.add(text[:end])
		w.carriageReturn()
		text = text[end+1:]
	}
}

// carriageReturn ends the unfinished line, or notes that the next text overwrites it.
func (w *Writer) carriageReturn() {
	if len(w.partial) == 0 {
		return
	}
	w.returned = true
	if !w.DropOverwritten {
		w.finishLine()
	}
}

// endLine ends a line at a newline, unless the carriage return before it has done so.
func (w *Writer) endLine() {
	ended := w.returned && len(w.partial) == 0
	w.returned = false
	if !ended {
		w.finishLine()
	}
}

// add adds text without a newline or carriage return to the unfinished line, and splits that line as often as needed.
func (w *Writer) add(text []byte) {
	if len(text) == 0 {
		return
	}
	if w.returned {
		w.returned, w.partial = false, w.partial[:0]
	}
	for {
		space := w.textSize() - len(w.partial)
		if len(text) <= space {
			w.partial = append(w.partial, text...)
			return
		}
		w.partial = append(w.partial, text[:space]...)
		text = text[space:]
		w.split()
	}
}

// split finishes a full line after its last complete UTF-8 character; the rest starts the next line.
func (w *Writer) split() {
	keep := len(w.partial)
	for back := 1; back < utf8.UTFMax && back < keep; back++ {
		if tail := w.partial[keep-back:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				keep -= back
			}
			break
		}
	}
	rest := append([]byte(nil), w.partial[keep:]...)
	w.partial = w.partial[:keep]
	w.finishLine()
	w.partial = append(w.partial, rest...)
}

func (w *Writer) finishLine() {
	if harmlessLength(w.partial) == len(w.partial) {
		w.block = append(w.block, w.prefix...)
		w.block = append(w.block, w.partial...)
		w.block = append(w.block, '\n')
	} else {
		w.appendSafeLines(w.partial)
	}
	w.partial = w.partial[:0]
}

// appendSafeLines appends the unfinished line as Safe shows it. What becomes too long by that continues in further lines.
func (w *Writer) appendSafeLines(text []byte) {
	size := w.textSize() - len(colourReset)
	var c colours
	for first := true; first || len(text) > 0; first = false {
		w.block = append(w.block, w.prefix...)
		start := len(w.block)
		for len(text) > 0 {
			var read int
			if w.block, read = appendNext(w.block, text, size-(len(w.block)-start)); read == 0 {
				break
			}
			c.note(text[:read])
			text = text[read:]
		}
		w.block = append(c.reset(w.block), '\n')
	}
}

func (w *Writer) flush() error {
	if len(w.block) == 0 {
		return nil
	}
	_, err := w.sink.Write(w.block)
	w.block = w.block[:0]
	return err
}
