// SPDX-License-Identifier: Apache-2.0

package loglines

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// maxRecord is the length of the longest record in bytes, before it is made safe. That may make six bytes of one.
const maxRecord = MaxLine / 2

// RecordWriter writes the records of a logger that passes each in one Write: as one line, which is safe as [Safe] does it.
// So a name or an error that a package has chosen cannot begin a line of its own. Of a record that is too long, the middle is
// cut, since the end says what it is about.
type RecordWriter struct{ sink io.Writer }

// NewRecordWriter returns a RecordWriter that writes to sink, which must be safe for concurrent use if the logger is.
func NewRecordWriter(sink io.Writer) RecordWriter { return RecordWriter{sink} }

// Write writes one record.
func (w RecordWriter) Write(record []byte) (int, error) {
	line := Safe(CutMiddle(joinLines(string(record)), maxRecord))
	if len(line) > MaxLine-1 {
		line = CutMiddle(line, maxRecord)
	}
	_, err := io.WriteString(w.sink, line+"\n")
	return len(record), err
}

// joinLines makes one line of a record. hclog shows a value of several lines as a block of lines.
func joinLines(record string) string {
	record = strings.TrimRight(record, "\n ")
	if !strings.Contains(record, "\n") {
		return record
	}
	return strings.NewReplacer("=\n  | ", "=", "\n  | ", "; ", "\n  ", " ", "\n", " ").Replace(record)
}

// CutMiddle returns text with a note in place of its middle if it has more than size bytes.
func CutMiddle(text string, size int) string {
	if len(text) <= size {
		return text
	}
	tail := min(size/2, 2<<10)
	head := size - tail
	return strings.ToValidUTF8(text[:head], "") + fmt.Sprintf("[… %d bytes cut …]", len(text)-size) +
		string(bytes.ToValidUTF8([]byte(text[len(text)-tail:]), nil))
}
