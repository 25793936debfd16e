// Package loglines writes output to stderr in a form that the peer can read: whole lines of at most 16 KiB, without ever
// blocking the program for good.
//
// The peer reads the stderr of an external builder with a line scanner that gives up at lines of 64 KiB and never reads
// the pipe again. [Writer] splits a stream into lines, [Queue] passes them to a reader that may be slow, stuck or gone.
package loglines

import (
	"bytes"
	"io"
	"unicode/utf8"
)

// MaxLine is the length in bytes of the longest line that a Writer writes, including prefix and newline.
const MaxLine = 16 << 10

// Writer splits a byte stream into lines and adds a prefix to each. A line that is too long continues in further lines
// with the same prefix, never split inside a UTF-8 character. Close writes an unfinished last line.
//
// A Writer is for one stream and is not safe for concurrent use. Several Writers may share a sink that is.
type Writer struct {
	sink    io.Writer
	prefix  []byte
	partial []byte // the unfinished line, without prefix
	block   []byte // whole lines for the next write
}

// NewWriter returns a Writer that adds prefix to every line and writes whole lines to sink, several at once if it has
// them. A prefix longer than a quarter of MaxLine is cut off.
func NewWriter(sink io.Writer, prefix string) *Writer {
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
		w.finishLine()
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

// extend adds text without a newline to the unfinished line, and splits that line as often as needed.
func (w *Writer) extend(text []byte) {
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
	w.block = append(w.block, w.prefix...)
	w.block = append(w.block, bytes.TrimSuffix(w.partial, []byte("\r"))...)
	w.block = append(w.block, '\n')
	w.partial = w.partial[:0]
}

func (w *Writer) flush() error {
	if len(w.block) == 0 {
		return nil
	}
	_, err := w.sink.Write(w.block)
	w.block = w.block[:0]
	return err
}
