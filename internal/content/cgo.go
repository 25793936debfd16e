package content

import "bytes"

// importC is part of every Go file that uses cgo, since the go command accepts no other spelling of the import path. Other
// files may contain it as well.
var importC = []byte(`"C"`)

// wordFinder is a writer that searches everything written to it for a word, even across the boundaries of writes.
type wordFinder struct {
	word  []byte
	found bool
	tail  []byte // end of the previous writes, shorter than word
}

func (f *wordFinder) Write(data []byte) (int, error) {
	keep := len(f.word) - 1
	joint := append(f.tail, data[:min(len(data), keep)]...)
	f.found = f.found || bytes.Contains(joint, f.word) || bytes.Contains(data, f.word)
	if len(data) >= keep {
		joint = data
	}
	f.tail = bytes.Clone(joint[max(0, len(joint)-keep):])
	return len(data), nil
}
