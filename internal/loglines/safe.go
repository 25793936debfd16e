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
	if plainLength(rest) == len(rest) {
		return text
	}
	var safe []byte
	var c colours
	for len(rest) > 0 {
		shown, read := nextSafe(rest, maxShown+len(rest))
		c.note(shown)
		safe, rest = append(safe, shown...), rest[read:]
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

// plainLength returns how many bytes at the beginning of text are plain.
func plainLength(text []byte) int {
	for i, c := range text {
		if !isPlain[c] {
			return i
		}
	}
	return len(text)
}

// maxShown is the length of the longest thing that nextSafe cannot divide: a sequence that sets colours.
const maxShown = 32

// nextSafe returns what to show for the beginning of text in at most size bytes, and how much of text that is. It is nothing
// if size is too small.
func nextSafe(text []byte, size int) (shown []byte, read int) {
	if plain := plainLength(text); plain > 0 {
		plain = max(0, min(plain, size))
		return text[:plain], plain
	}
	shown, read = showNext(text)
	if len(shown) > size {
		return nil, 0
	}
	return shown, read
}

// showNext returns what to show for the character or sequence at the beginning of text, and its length.
func showNext(text []byte) (shown []byte, read int) {
	if n := colourLength(text); n > 0 {
		return text[:n], n
	}
	r, n := utf8.DecodeRune(text)
	switch {
	case r == utf8.RuneError && n == 1:
		return []byte{'\\', 'x', hex[text[0]>>4], hex[text[0]&15]}, 1
	case isHarmful(r):
		return []byte{'\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15]}, n
	}
	return text[:n], n
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

// note takes the next thing that nextSafe shows.
func (c *colours) note(shown []byte) {
	if len(shown) > 0 && shown[0] == '\x1b' {
		*c = string(shown) != colourReset && string(shown) != "\x1b[m"
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
