// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"bytes"
	"time"
	"unicode/utf8"
)

// remembered is how many bytes of a stream are remembered at least: two pieces of a long line in Docker's log.
const remembered = 32 << 10

// printed is the end of what has come of one stream through an attach, to find the place in the log again.
type printed struct {
	older, recent []byte
	total         int         // bytes of it
	last          time.Time   // when the last of it came
	ends          []time.Time // when the last newlines came, at most rememberedEnds
}

// rememberedEnds is how many newlines' times are remembered: those of fewer equal lines may come at equal distances.
const rememberedEnds = 32

func (p *printed) add(data []byte) {
	p.total += len(data)
	p.last = time.Now()
	for range min(bytes.Count(data, []byte("\n")), rememberedEnds) {
		if len(p.ends) == rememberedEnds {
			p.ends = p.ends[:copy(p.ends, p.ends[1:])]
		}
		p.ends = append(p.ends, p.last)
	}
	switch {
	case len(data) > remembered:
		p.older, p.recent, data = p.older[:0], p.recent[:0], data[len(data)-remembered:]
	case len(p.recent)+len(data) > remembered:
		p.older, p.recent = p.recent, p.older[:0]
	}
	p.recent = append(p.recent, data...)
}

// lines returns the whole lines at the end, as the log has them, and what comes after them.
func (p *printed) lines() (whole, partial []byte) {
	text := append(append([]byte(nil), p.older...), p.recent...)
	for len(text) > 0 && !utf8.RuneStart(text[0]) { // the rest of a character that is not remembered
		text = text[1:]
	}
	text = asLogged(text)
	end := bytes.LastIndexByte(text, '\n') + 1
	return text[:end], text[end:]
}

// mark returns when the last whole line came, or the last output if there is no whole line.
func (p *printed) mark() time.Time {
	if whole, _ := p.lines(); len(whole) == 0 {
		return p.last
	}
	return p.ends[len(p.ends)-1]
}

// asLogged returns text as it is in a log in JSON, the default: each byte that is not UTF-8 is a replacement character. A
// character at the end that is not complete is kept.
func asLogged(text []byte) []byte {
	if utf8.Valid(text) {
		return text
	}
	logged := make([]byte, 0, len(text)+utf8.UTFMax)
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if r == utf8.RuneError && size == 1 && !utf8.FullRune(text) {
			return append(logged, text...)
		}
		logged, text = utf8.AppendRune(logged, r), text[size:]
	}
	return logged
}
