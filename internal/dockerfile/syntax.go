// SPDX-License-Identifier: Apache-2.0

package dockerfile

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"
)

var byteOrderMark = []byte("\xef\xbb\xbf")

// Syntax returns the frontends that a Dockerfile asks the engine to run in place of its own: an image each. Versions of
// BuildKit differ in where they look. All of them look at the comments in front of the first instruction, some also at a file
// that is JSON.
func Syntax(text []byte) []string {
	var found []string
	text = bytes.TrimPrefix(text, byteOrderMark)
	for line := range bytes.Lines(text) {
		if !isBlank(line) && !isComment(line) {
			break
		}
		text = text[len(line):]
		if value, ok := directive(line, "syntax"); ok {
			found = append(found, strings.Fields(value)[0])
		}
	}
	var object map[string]any
	if json.Unmarshal(text, &object) == nil {
		for key, value := range object {
			if name, ok := value.(string); ok && strings.EqualFold(key, "syntax") {
				found = append(found, name)
			}
		}
	}
	return found
}

// WithoutSyntax returns a Dockerfile without its syntax directives. The lines that follow the directives keep their numbers.
func WithoutSyntax(text []byte) []byte {
	var directives, rest bytes.Buffer
	removed, leading := 0, true
	for line := range bytes.Lines(bytes.TrimPrefix(text, byteOrderMark)) {
		leading = leading && (isBlank(line) || isComment(line))
		_, isSyntax := directive(line, "syntax")
		switch {
		case !leading:
			rest.Write(line)
		case isSyntax:
			removed++
		default:
			directives.Write(line)
		}
	}
	directives.Write(bytes.Repeat([]byte("\n"), removed)) // not in their place: a line that is no directive ends the directives
	return append(directives.Bytes(), rest.Bytes()...)
}

func isBlank(line []byte) bool { return len(bytes.TrimSpace(line)) == 0 }

// isComment reports whether a line is a comment, also in the form that only syntax directives may have.
func isComment(line []byte) bool {
	line = bytes.TrimSpace(line)
	return bytes.HasPrefix(line, []byte("#")) || bytes.HasPrefix(line, []byte("//"))
}

// directive returns the value of a directive in a comment.
func directive(line []byte, name string) (value string, ok bool) {
	if !isComment(line) {
		return "", false
	}
	text := strings.TrimLeftFunc(string(line), func(r rune) bool { return unicode.IsSpace(r) || r == '#' || r == '/' })
	key, value, _ := strings.Cut(text, "=")
	value = strings.TrimSpace(value)
	return value, value != "" && strings.EqualFold(strings.TrimSpace(key), name)
}
