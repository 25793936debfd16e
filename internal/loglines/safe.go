// SPDX-License-Identifier: Apache-2.0

package loglines

import (
	"bytes"
	"unicode/utf8"
)

// Safe returns text in which nothing ends a line, moves a terminal's cursor or changes the order of characters:
//
//   - Control characters (U+0000 to U+001F, U+007F to U+009F), line and paragraph separators, and characters that change the
//     direction of writing are shown as \uXXXX, which is the same in JSON. A tab stays.
//   - Bytes that are not UTF-8 are shown as \xXX: some readers take them for control characters.
//   - Sequences that set colours and the like (ESC [ ... m) stay, and are reset at the end.
func Safe(text string) string {
	rest := []byte(text)
	if harmlessLength(rest) == len(rest) {
		return text
	}
	var safe []byte
	var c colours
	for len(rest) > 0 {
		var read int
		safe, read = appendNext(safe, rest, maxShown+len(rest))
		c.note(rest[:read])
		rest = rest[read:]
	}
	return string(c.reset(safe))
}

// isPlain says which bytes are shown as they are, whatever stands beside them.
var isPlain = func() (table [256]bool) {
	for c := ' '; c < 0x7f; c++ {
		table[c] = true
	}
	table['\t'] = true
	return table
}()

// harmlessLength returns how many bytes at the beginning of text are shown as they are: plain ones and whole characters.
func harmlessLength(text []byte) int {
	for i := 0; i < len(text); {
		c := text[i]
		if isPlain[c] {
			i++
			continue
		}
		if 0xc3 <= c && c < 0xd8 && i+1 < len(text) && text[i+1]&0xc0 == 0x80 { // most of two bytes, such as Latin and Cyrillic
			i += 2
			continue
		}
		r, n := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && n == 1 || isHarmful(r) {
			return i
		}
		i += n
	}
	return len(text)
}

// maxShown is the length of the longest thing that appendNext cannot divide: a sequence that sets colours.
const maxShown = 32

// appendNext appends what to show for the beginning of text, in at most size bytes, and returns how much of text that is: 0 if
// size is too small.
func appendNext(safe, text []byte, size int) (shown []byte, read int) {
	if n := wholeLength(text, harmlessLength(text), size); n > 0 {
		return append(safe, text[:n]...), n
	}
	shown, read = appendCharacter(safe, text)
	if len(shown)-len(safe) > size {
		return safe, 0
	}
	return shown, read
}

// wholeLength returns how much of the first n bytes of text fits into size without a part of a character.
func wholeLength(text []byte, n, size int) int {
	if n <= size {
		return n
	}
	n = max(size, 0)
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return n
}

// appendCharacter appends what to show for the character or sequence at the beginning of text, and returns its length.
func appendCharacter(safe, text []byte) (shown []byte, read int) {
	if n := colourLength(text); n > 0 {
		return append(safe, text[:n]...), n
	}
	r, n := utf8.DecodeRune(text)
	switch {
	case r == utf8.RuneError && n == 1:
		return append(safe, '\\', 'x', hex[text[0]>>4], hex[text[0]&15]), 1
	case isHarmful(r):
		return append(safe, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15]), n
	}
	return append(safe, text[:n]...), n
}

const hex = "0123456789abcdef"

// isHarmful reports whether a character that is not plain ends a line, controls a terminal, or changes the direction of text.
func isHarmful(r rune) bool {
	switch {
	case r < 0xa0: // all that is not plain
		return true
	case r == 0x061c, r == 0x200e, r == 0x200f, 0x2028 <= r && r <= 0x202e, 0x2066 <= r && r <= 0x206f:
		return true
	}
	return false
}

// colourReset ends all colours.
const colourReset = "\x1b[0m"

// colourLength returns the length of the sequence at the beginning of text that sets colours, or 0 if there is none.
func colourLength(text []byte) int {
	if !bytes.HasPrefix(text, []byte("\x1b[")) {
		return 0
	}
	for i, c := range text[2:min(len(text), maxShown)] {
		switch {
		case c == 'm':
			return i + 3
		case (c < '0' || c > '9') && c != ';' && c != ':':
			return 0
		}
	}
	return 0
}

// colours knows whether a line has set colours that are not reset.
type colours bool

// note takes the next piece of text that is shown. An ESC alone sets nothing.
func (c *colours) note(piece []byte) {
	if len(piece) > 1 && piece[0] == '\x1b' {
		*c = string(piece) != colourReset && string(piece) != "\x1b[m"
	}
}

// reset appends what resets the colours of a line, if it must.
func (c *colours) reset(line []byte) []byte {
	if *c {
		*c = false
		line = append(line, colourReset...)
	}
	return line
}
