// SPDX-License-Identifier: Apache-2.0

package loglines_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/loglines"
)

func TestSafeShowsWhatWouldControlATerminal(t *testing.T) {
	for text, want := range map[string]string{
		"plain\ttext":             "plain\ttext",
		"größe 世界 🙂":              "größe 世界 🙂",
		"\x1b[2K\x1b[1A":          `\u001b[2K\u001b[1A`,
		"a\rb\nc\vd":              `a\u000db\u000ac\u000bd`,
		"a\u0085b\u2028c\u2029d":  `a\u0085b\u2028c\u2029d`,
		"\u202eevil\u2066":        `\u202eevil\u2066`,
		"\xc2\x9b2K"[1:]:          `\x9b2K`,
		"\xc0\x8a":                `\xc0\x8a`, // overlong newline
		"\x7f\x00":                `\u007f\u0000`,
		"\x1b[31mred\x1b[0m":      "\x1b[31mred\x1b[0m",
		"\x1b[1;31mred":           "\x1b[1;31mred\x1b[0m",
		"\x1b[31mred\x1b[m ok":    "\x1b[31mred\x1b[m ok",
		"\x1b[31":                 `\u001b[31`,
		"\x1b]0;title\a":          `\u001b]0;title\u0007`,
		"\x1b[" + long('1') + "m": `\u001b[` + long('1') + "m",
	} {
		assert.Equal(t, want, loglines.Safe(text), "%q", text)
	}
}

func long(c byte) string { return strings.Repeat(string(c), 100) }

func TestTheStateOfAProgressBarIsLeft(t *testing.T) {
	var out bytes.Buffer
	w := loglines.NewWriter(&out, "> ")
	w.DropOverwritten = true
	for _, piece := range []string{"Progress 1\rProgress 2\r", "          \r", "Downloaded\n", "100%\r\n", "x\r", "y\rz"} {
		_, err := w.Write([]byte(piece))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	assert.Equal(t, "> Downloaded\n> 100%\n> z\n", out.String())
}

// A record is one line, whatever a package or an engine has put into it.
func TestARecordIsOneLine(t *testing.T) {
	for record, want := range map[string]string{
		"[ERROR] build: a\n":                         "[ERROR] build: a\n",
		"a\r[INFO] b\u2028c: x=1\n":                  `a\u000d[INFO] b\u2028c: x=1` + "\n",
		"m: label=x\n  error=\n  | a\n  | b\n  \n":   "m: label=x error=a; b\n",
		"m: label=x\n  error=\n  | a\n   reason=b\n": "m: label=x error=a  reason=b\n",
	} {
		var out bytes.Buffer
		_, err := loglines.NewRecordWriter(&out).Write([]byte(record))
		require.NoError(t, err)
		assert.Equal(t, want, out.String())
	}
	var out bytes.Buffer
	_, err := loglines.NewRecordWriter(&out).Write([]byte("[ERROR] " + strings.Repeat("\x1b", 100_000) + " label=x\n"))
	require.NoError(t, err)
	assert.LessOrEqual(t, out.Len(), loglines.MaxLine)
	assert.Equal(t, 1, strings.Count(out.String(), "\n"))
	assert.Contains(t, out.String(), "bytes cut")
	assert.True(t, strings.HasSuffix(out.String(), " label=x\n"))
}

// Whatever a chaincode prints, every line begins with its prefix, and none can be taken for another's.
func FuzzWriter(f *testing.F) {
	f.Add([]byte("a\rb\x1b[2K\n\x1b[31mc\u0085\u2028\xc0\x8a"), 3, false)
	f.Add(bytes.Repeat([]byte("\x1b"), 20_000), 7000, true)
	f.Add(bytes.Repeat([]byte("\x1b[31m世"), 5_000), 16_000, false)
	f.Fuzz(func(t *testing.T, text []byte, cut int, dropOverwritten bool) {
		const prefix = "basic_1.0:0123456789ab | "
		var out bytes.Buffer
		w := loglines.NewWriter(&out, prefix)
		w.DropOverwritten = dropOverwritten
		cut = max(0, min(cut, len(text)))
		for _, piece := range [][]byte{text[:cut], text[cut:]} {
			_, err := w.Write(piece)
			require.NoError(t, err)
		}
		require.NoError(t, w.Close())
		for line := range strings.Lines(out.String()) {
			shown, whole := strings.CutSuffix(line, "\n")
			require.True(t, whole)
			require.True(t, strings.HasPrefix(line, prefix), "%q", line)
			require.LessOrEqual(t, len(line), loglines.MaxLine)
			require.True(t, utf8.ValidString(line))
			require.Equal(t, shown, loglines.Safe(shown), "safe, and colours are reset")
		}
	})
}
