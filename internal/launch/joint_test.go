// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/docker"
)

// at is a time by the engine's clock.
func at(milliseconds int) time.Time {
	return time.Unix(1_000_000, 0).Add(time.Duration(milliseconds) * time.Millisecond)
}

// logged returns a log whose pieces are stamped every so many milliseconds.
func logged(step int, pieces ...string) (log []docker.LogPiece) {
	for i, text := range pieces {
		log = append(log, docker.LogPiece{Time: at(i * step), Data: []byte(text)})
	}
	return log
}

// numbers returns the text of a piece of a long line.
func numbers(n int) string {
	var text strings.Builder
	for i := 0; text.Len() < 16<<10; i++ {
		fmt.Fprint(&text, n, i, " ")
	}
	return text.String()[:16<<10]
}

func repeated(text string, times int) []string {
	return strings.Split(strings.TrimSuffix(strings.Repeat(text+"\x00", times), "\x00"), "\x00")
}

// An attach has no time stamps, so the place in the log is found by what was printed.
func TestThePlaceInTheLogIsFound(t *testing.T) {
	long, longer := numbers(0), numbers(1)
	tests := map[string]struct {
		printed  string
		when     int // milliseconds
		log      []docker.LogPiece
		want     int
		unlogged string
		unknown  bool
	}{
		"different lines":                  {"a\nb\nc\n", 20, logged(10, "b\n", "c\n", "d\n"), 2, "", false},
		"everything that was printed":      {"b\nc\n", 20, logged(10, "a\n", "b\n", "c\n", "d\n"), 3, "", false},
		"nothing new":                      {"a\nb\nc\n", 20, logged(10, "b\n", "c\n"), 2, "", false},
		"a line without an end":            {"a\nb\nc", 20, logged(10, "a\n", "b\n", "cd\n"), 2, "c", false},
		"only a line without an end":       {"a\nb\nc", 20, logged(10, "b\n"), 1, "c", false},
		"equal lines, every second":        {strings.Repeat("beat\n", 4), 3000, logged(1000, repeated("beat\n", 7)...), 4, "", false},
		"equal lines, the last not logged": {strings.Repeat("beat\n", 4), 3000, logged(1000, repeated("beat\n", 3)...), 3, "", false},
		"a burst of equal lines":           {"a\n" + strings.Repeat("b\n", 30), 5, logged(0, append([]string{"a\n"}, repeated("b\n", 50)...)...), 31, "", false},
		"a burst of which all are known":   {"a\n" + strings.Repeat("b\n", 30), 5, logged(0, append(repeated("b\n", 30), "c\n")...), 30, "", false},
		"empty lines":                      {"a\n\n\n", 0, logged(0, "a\n", "\n", "\n", "\n"), 3, "", false},
		"a long line":                      {"a\n" + long + longer + "x\nb\n", 0, logged(0, "a\n", long, longer, "x\n", "b\n", "c\n"), 5, "", false},
		"pieces of a long line":            {"a\n" + long + "xxx", 0, logged(0, "a\n", long, "xxxy\n"), 2, "xxx", false},
		"a line longer than is remembered": {"a\n" + numbers(2) + numbers(3) + long + longer + "x", 0, logged(0, numbers(2), numbers(3), long, longer), 4, "x", false},
		"what is not UTF-8":                {"a\xff\xfe\nb\xc3", 0, logged(0, "a\ufffd\ufffd\n", "b\u00c3\n"), 1, "b\xc3", false},
		"another log":                      {"a\nb\n", 0, logged(0, "c\n", "d\n"), 0, "", true},
		"an empty log":                     {"a\nb\n", 0, nil, 0, "", true},
		"a log that begins later":          {"a\n\n", 0, logged(5000, "c\n", "\n"), 0, "", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var p printed
			for rest := test.printed; rest != ""; {
				size := min(len(rest), 10_000)
				p.add([]byte(rest[:size]))
				rest = rest[size:]
			}
			lines := strings.Count(test.printed, "\n")
			for i := range p.ends { // a line each step
				p.ends[len(p.ends)-1-i] = at(test.when - i*test.when/max(lines-1, 1))
			}
			p.last = at(test.when)
			j := newJoint(&p, func(t time.Time) time.Time { return t })
			for _, piece := range test.log {
				if j.take(piece) {
					break
				}
			}
			got, unlogged, ok := j.find()
			require.Equal(t, test.unknown, !ok)
			assert.Equal(t, test.want, got)
			assert.Equal(t, test.unlogged, string(unlogged))
		})
	}
}

func TestTheEndOfTheOutputIsRemembered(t *testing.T) {
	var p printed
	var all bytes.Buffer
	for i := range 10_000 {
		line := fmt.Sprintf("line %d é\n", i)
		all.WriteString(line)
		p.add([]byte(line))
		require.LessOrEqual(t, len(p.older)+len(p.recent), 2*remembered)
		if i%100 > 0 {
			continue
		}
		whole, partial := p.lines()
		require.Empty(t, partial)
		require.True(t, bytes.HasSuffix(all.Bytes(), whole))
		require.GreaterOrEqual(t, len(whole), min(all.Len(), remembered-100))
	}
	p.add(bytes.Repeat([]byte("x"), 10*remembered)) // engines send less at a time
	whole, partial := p.lines()
	assert.Empty(t, whole)
	assert.Equal(t, remembered, len(partial))
}
