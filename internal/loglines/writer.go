// Package loglines brings output to stderr the way the peer can take it: whole lines of at most 16 KiB, and never a
// writer that blocks for ever.
//
// The peer reads the stderr of an external builder with a line scanner that gives up at 64 KiB: after one longer line
// nobody reads the pipe again. [Writer] cuts a stream into lines, [Queue] carries them to a reader that may be slow,
// stuck or gone.
package loglines

import (
	"bytes"
	"io"
	"unicode/utf8"
)

// MaxLine is the longest line that leaves a Writer, in bytes, with its prefix and its newline.
const MaxLine = 16 << 10

// Writer cuts a byte stream into lines, each with a prefix. A line that is too long goes on in further lines, each
// with the prefix again; cuts never fall inside a UTF-8 character. Close brings out an unfinished last line.
// A Writer serves one stream and is not safe for concurrent use; several Writers may share a sink that is.
type Writer struct {
	sink    io.Writer
	prefix  []byte
	partial []byte // the unfinished line, without prefix
	block   []byte // whole lines, ready to leave in one write
}

// NewWriter returns a Writer that puts prefix in front of every line and hands whole lines to sink, several at once
// where it has them. A prefix is cut at a quarter of MaxLine.
func NewWriter(sink io.Writer, prefix string) *Writer {
	if len(prefix) > MaxLine/4 {
		prefix = prefix[:MaxLine/4]
	}
	return &Writer{sink: sink, prefix: []byte(prefix)}
}

// Write takes any piece of the stream. Its error is the sink's.
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

// Close writes the last line if it has no newline of its own. It does not close the sink.
func (w *Writer) Close() error {
	if len(w.partial) > 0 {
		w.finishLine()
	}
	return w.flush()
}

// room is how much of a line's own text fits between prefix and newline.
func (w *Writer) room() int { return MaxLine - len(w.prefix) - 1 }

// extend adds text without a newline to the unfinished line, and cuts that line as often as needed.
func (w *Writer) extend(text []byte) {
	for {
		space := w.room() - len(w.partial)
		if len(text) <= space {
			w.partial = append(w.partial, text...)
			return
		}
		w.partial = append(w.partial, text[:space]...)
		text = text[space:]
		w.cut()
	}
}

// cut lets a full line go, up to the last whole character.
func (w *Writer) cut() {
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
