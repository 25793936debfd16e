package content

import "bytes"

// cgo stands in every Go file that uses cgo: the go command takes no other spelling of the import. It may stand in
// others as well.
var cgo = []byte(`"C"`)

// mention is a writer that looks for a word in what is written to it, however that is cut into pieces.
type mention struct {
	word  []byte
	found bool
	tail  []byte // of what was written before, shorter than the word
}

func (m *mention) Write(data []byte) (int, error) {
	keep := len(m.word) - 1
	joint := append(m.tail, data[:min(len(data), keep)]...)
	m.found = m.found || bytes.Contains(joint, m.word) || bytes.Contains(data, m.word)
	if len(data) >= keep {
		joint = data
	}
	m.tail = bytes.Clone(joint[max(0, len(joint)-keep):])
	return len(data), nil
}
