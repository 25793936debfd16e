// SPDX-License-Identifier: Apache-2.0

package loglines_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/loglines"
)

func TestWriterSplitsIntoPrefixedLines(t *testing.T) {
	tests := map[string]struct {
		pieces []string
		want   string
	}{
		"nothing":               {nil, ""},
		"one line":              {[]string{"a\n"}, "> a\n"},
		"a line in pieces":      {[]string{"a", "b", "c\nd"}, "> abc\n> d\n"},
		"an unfinished line":    {[]string{"a"}, "> a\n"},
		"empty lines":           {[]string{"\n\n"}, "> \n> \n"},
		"carriage return":       {[]string{"a\r", "\n"}, "> a\n"},
		"return inside a line":  {[]string{"10%\r20%\n"}, "> 10%\n> 20%\n"},
		"returns and a newline": {[]string{"a\r\r", "\n\r\nb\r"}, "> a\n> \n> b\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			w := loglines.NewWriter(&out, "> ")
			for _, piece := range test.pieces {
				n, err := w.Write([]byte(piece))
				require.NoError(t, err)
				assert.Equal(t, len(piece), n)
			}
			require.NoError(t, w.Close())
			assert.Equal(t, test.want, out.String())
		})
	}
}

// The peer's scanner stops for good at a line of 64 KiB.
func TestWriterBoundsEveryLine(t *testing.T) {
	for _, letter := range []string{"x", "é", "世", "🙂", "\xff"} {
		text := strings.Repeat(letter, 200_000/len(letter))
		var out bytes.Buffer
		w := loglines.NewWriter(&out, "id | ")
		_, err := w.Write([]byte(text + "\nnext\n"))
		require.NoError(t, err)

		lines := strings.SplitAfter(strings.TrimSuffix(out.String(), "\n"), "\n")
		var joined strings.Builder
		for _, line := range lines {
			assert.LessOrEqual(t, len(line), loglines.MaxLine)
			assert.True(t, strings.HasPrefix(line, "id | "), "prefix of %.20q", line)
			assert.True(t, utf8.ValidString(line), "a character was split: %q", letter)
			joined.WriteString(strings.TrimSuffix(strings.TrimPrefix(line, "id | "), "\n"))
		}
		assert.Equal(t, strings.ReplaceAll(text, "\xff", `\xff`)+"next", joined.String(), "no text is lost")
	}
}

func TestWriterReturnsTheErrorOfItsSink(t *testing.T) {
	w := loglines.NewWriter(failing{}, "")
	_, err := w.Write([]byte("a\n"))
	assert.ErrorIs(t, err, errBroken)
}

var errBroken = errors.New("broken")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errBroken }

// A long line of characters that take several bytes is divided between them, also if something in it must be made visible.
func TestALongLineIsDividedBetweenCharacters(t *testing.T) {
	for _, text := range []string{strings.Repeat("ж", 30_000) + "\x1b[31m\x07", "\x07" + strings.Repeat("я漢", 20_000)} {
		var out bytes.Buffer
		w := loglines.NewWriter(&out, "p | ")
		fmt.Fprintln(w, text)
		assert.NotContains(t, out.String(), `\x`)
		shown := ""
		for line := range strings.Lines(out.String()) {
			assert.LessOrEqual(t, len(line), loglines.MaxLine)
			shown += strings.TrimSuffix(strings.TrimPrefix(line, "p | "), "\n")
		}
		assert.Equal(t, strings.ReplaceAll(text, "\x07", `\u0007`), strings.ReplaceAll(shown, "\x1b[0m", ""))
	}
}
