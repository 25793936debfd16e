// SPDX-License-Identifier: Apache-2.0

package dockerfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// instruction is one instruction of a Dockerfile, on one line.
type instruction struct {
	line  int      // in the file, where it begins
	name  string   // in lower case
	flags []string // such as --from=build, without quotes and escapes
	rest  string   // what follows them
}

// parser splits a Dockerfile into instructions.
type parser struct {
	escape     byte
	continues  *regexp.Regexp // matches the end of a line that goes on
	ambiguous  *regexp.Regexp // matches the end of a line that only older engines take for one that goes on
	noHeredocs bool           // take the lines of a heredoc for instructions
	lines      [][]byte       // that are left
	line       int            // number of the last line
}

// invalid replaces bytes that no name holds, because BuildKit's lexer would write about them to stderr.
var invalid = []byte("?")

var (
	space          = regexp.MustCompile(`[\t\v\f\r ]+`)
	plainDirective = regexp.MustCompile(`^#[ \t]*[a-zA-Z]+[ \t]*=`)
)

// newParser returns a parser of a Dockerfile. Without heredocs, it also continues a line that ends with two escapes: podman 4
// does so.
func newParser(text []byte, noHeredocs bool) (*parser, error) {
	text = bytes.TrimPrefix(bytes.ReplaceAll(bytes.ToValidUTF8(text, invalid), []byte{0}, invalid), byteOrderMark)
	p := &parser{escape: '\\', noHeredocs: noHeredocs, lines: bytes.Split(text, []byte("\n"))}
	if err := p.readDirectives(); err != nil {
		return nil, err
	}
	escape := regexp.QuoteMeta(string(p.escape))
	p.continues = regexp.MustCompile(`(^|[^` + escape + `])` + escape + `[ \t]*$`)
	p.ambiguous = regexp.MustCompile(escape + escape + `[ \t]*$`)
	if noHeredocs {
		p.continues, p.ambiguous = regexp.MustCompile(escape+`[ \t]*$`), nil
	}
	return p, nil
}

// readDirectives finds the escape character. Engines differ in the comments that may precede its directive, so it must be on
// the first line, or follow a syntax directive.
func (p *parser) readDirectives() error {
	first := true
	for _, line := range p.lines {
		if text := bytes.TrimSpace(line); len(text) > 0 && text[0] != '#' {
			return nil
		}
		value, ok := directive(line, "escape")
		switch {
		case !ok:
			_, isSyntax := directive(line, "syntax")
			first = first && isSyntax && plainDirective.Match(line)
			continue
		case !first || !plainDirective.Match(line):
			return errors.New("the escape directive must be on the first line, as in # escape=`: engines do not all find it elsewhere")
		case value != "`" && value != `\`:
			return fmt.Errorf("invalid escape directive %q: expected a backslash or a backtick", value)
		}
		p.escape, first = value[0], false
	}
	return nil
}

// next returns the next instruction, or nil at the end.
func (p *parser) next() (*instruction, error) {
	for len(p.lines) > 0 {
		line := bytes.TrimLeftFunc(p.read(), unicode.IsSpace)
		start := p.line
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		joined, err := p.join(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", p.line, err)
		}
		found := p.instruction(joined)
		found.line = start
		if err := p.skipHeredocs(found, joined); err != nil {
			return nil, fmt.Errorf("line %d: %w", start, err)
		}
		return found, nil
	}
	return nil, nil
}

// read returns the next line without its end.
func (p *parser) read() []byte {
	line := p.lines[0]
	p.lines, p.line = p.lines[1:], p.line+1
	return bytes.TrimRight(line, "\r")
}

// join returns a line together with those that continue it. Comments and empty lines between them count for nothing.
func (p *parser) join(line []byte) (string, error) {
	var joined strings.Builder
	for {
		if p.ambiguous != nil && p.ambiguous.Match(line) {
			return "", fmt.Errorf("the line ends with %[1]c%[1]c, which engines read in different ways: end it with something else", p.escape)
		}
		if !p.continues.Match(line) {
			joined.Write(line)
			return joined.String(), nil
		}
		joined.Write(line[:bytes.LastIndexByte(line, p.escape)])
		for line = nil; line == nil && len(p.lines) > 0; {
			line = p.read()
			if trimmed := bytes.TrimLeftFunc(line, unicode.IsSpace); len(trimmed) == 0 || trimmed[0] == '#' {
				line = nil
			}
		}
		if line == nil {
			return joined.String(), nil
		}
	}
}

// instruction splits a joined line.
func (p *parser) instruction(line string) *instruction {
	parts := append(space.Split(strings.TrimSpace(line), 2), "")
	found := &instruction{name: strings.ToLower(parts[0])}
	found.flags, found.rest = p.splitFlags(parts[1])
	return found
}

// splitFlags splits the flags from the front of an instruction's arguments. Quotes and escapes work as in a shell.
func (p *parser) splitFlags(text string) (flags []string, rest string) {
	for {
		text = strings.TrimLeftFunc(text, unicode.IsSpace)
		if !strings.HasPrefix(text, "--") {
			return flags, text
		}
		var flag string
		flag, text = p.cutFlag(text)
		if flag == "--" {
			return flags, strings.TrimSpace(text)
		}
		flags = append(flags, flag)
	}
}

// cutFlag cuts one flag from the front of text.
func (p *parser) cutFlag(text string) (flag, rest string) {
	var word strings.Builder
	var quote byte
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote == 0 && unicode.IsSpace(rune(c)):
			return word.String(), text[i:]
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case quote != 0 && c == quote:
			quote = 0
		case c == p.escape:
			if i++; i < len(text) {
				word.WriteByte(text[i])
			}
		default:
			word.WriteByte(c)
		}
	}
	return word.String(), ""
}

// nested returns the instruction in an ONBUILD instruction, or nil.
func (p *parser) nested(outer *instruction) *instruction {
	if outer.name != onbuild || outer.rest == "" {
		return nil
	}
	inner := p.instruction(outer.rest)
	inner.line = outer.line
	return inner
}

var (
	heredocWord = regexp.MustCompile(`^\d*<<(-?)\s*([^<]*)$`)

	errHeredoc = errors.New("a heredoc does not end")
)

// skipHeredocs skips the files that follow an instruction.
func (p *parser) skipHeredocs(i *instruction, line string) error {
	if p.noHeredocs || !strings.Contains(line, "<<") {
		return nil
	}
	if inner := p.nested(i); inner != nil {
		i = inner
	}
	if i.name != run && i.name != copyFiles && i.name != add || isList(i.rest) {
		return nil
	}
	words := shell.NewLex('\\')
	words.RawQuotes, words.RawEscapes, words.SkipUnsetEnv = true, true, true
	all, _ := words.ProcessWords(line, arguments{}) // as BuildKit does, which ignores this error, too
	for _, word := range all {
		match := heredocWord.FindStringSubmatch(word)
		if match == nil || match[2] == "" {
			continue
		}
		end := shell.NewLex('\\')
		end.SkipUnsetEnv = true
		names, err := end.ProcessWords(match[2], arguments{})
		if err != nil {
			return err
		}
		if len(names) == 1 && !p.skipTo(names[0], match[1] == "-") {
			return errHeredoc
		}
	}
	return nil
}

// skipTo skips lines up to the one that ends a heredoc, and reports whether there is one.
func (p *parser) skipTo(end string, indented bool) bool {
	for len(p.lines) > 0 {
		line := string(p.read())
		if indented {
			line = strings.TrimLeft(line, "\t")
		}
		if line == end {
			return true
		}
	}
	return false
}

// isList reports whether the arguments of an instruction are a JSON list of strings.
func isList(text string) bool {
	var all []string
	return strings.HasPrefix(text, "[") && json.Unmarshal([]byte(text), &all) == nil
}

// splitWords splits text at spaces outside of quotes. Quotes and escapes stay.
func (p *parser) splitWords(text string) []string {
	var words []string
	var word strings.Builder
	var quote rune
	escaped := false
	for _, c := range text {
		switch {
		case escaped:
			escaped = false
		case quote == 0 && unicode.IsSpace(c):
			words = appendWord(words, &word)
			continue
		case c == rune(p.escape) && quote != '\'':
			escaped = true
		case quote == 0 && (c == '\'' || c == '"'):
			quote = c
		case c == quote:
			quote = 0
		}
		word.WriteRune(c)
	}
	if escaped { // at the end it counts for nothing
		last := strings.TrimSuffix(word.String(), string(p.escape))
		word.Reset()
		word.WriteString(last)
	}
	return appendWord(words, &word)
}

func appendWord(words []string, word *strings.Builder) []string {
	if word.Len() > 0 {
		words = append(words, word.String())
		word.Reset()
	}
	return words
}
