// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"google.golang.org/protobuf/encoding/protowire"
)

func sub(number protowire.Number, parts ...[]byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), bytes.Join(parts, nil))
}

func text(number protowire.Number, text string) []byte { return sub(number, []byte(text)) }

func at(number protowire.Number, seconds uint64) []byte {
	return sub(number, protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), seconds))
}

var cached = protowire.AppendVarint(protowire.AppendTag(nil, vertexCached, protowire.VarintType), 1)

func show(messages ...[]byte) (string, *buildkitProgress) {
	var out bytes.Buffer
	progress := newBuildkitProgress(&out)
	for _, m := range messages {
		progress.decode(m)
	}
	progress.close()
	return out.String(), progress
}

func TestBuildkitProgressShowsSteps(t *testing.T) {
	begin := func(id string) []byte {
		return sub(statusVertexes, text(vertexDigest, id), text(vertexName, "RUN "+id), at(vertexStarted, 10))
	}
	end := func(id string, more ...[]byte) []byte {
		return sub(statusVertexes, text(vertexDigest, id), text(vertexName, "RUN "+id), at(vertexStarted, 10), at(vertexCompleted, 12), bytes.Join(more, nil))
	}
	print := func(id, line string) []byte {
		return sub(statusLogs, text(logVertex, id), text(logMessage, line))
	}
	tests := map[string]struct {
		messages [][]byte
		want     string
		failed   bool
	}{
		"one":                   {[][]byte{begin("a"), begin("a"), print("a", "hello\n"), end("a"), end("a")}, "#1 RUN a|#1 hello|#1 DONE 2.0s|", false},
		"not started":           {[][]byte{sub(statusVertexes, text(vertexDigest, "a"), text(vertexName, "RUN a"))}, "", false},
		"cached":                {[][]byte{end("a", cached)}, "#1 RUN a|#1 CACHED|", false},
		"two at once":           {[][]byte{begin("a"), begin("b"), print("a", "x"), print("b", "y\n"), print("a", "z\n"), end("b"), end("a")}, "#1 RUN a|#2 RUN b|#2 y|#1 xz|#2 DONE 2.0s|#1 DONE 2.0s|", false},
		"no last newline":       {[][]byte{begin("a"), print("a", "x"), end("a")}, "#1 RUN a|#1 x|#1 DONE 2.0s|", false},
		"cut off":               {[][]byte{begin("a"), print("a", "x")}, "#1 RUN a|#1 x|", false},
		"failed":                {[][]byte{begin("a"), print("a", "x\n"), end("a", text(vertexError, "exit code: 3"))}, "#1 RUN a|#1 x|#1 ERROR: exit code: 3|", true},
		"failed without output": {[][]byte{begin("a"), end("a", text(vertexError, "exit code: 3"))}, "#1 RUN a|#1 ERROR: exit code: 3|", true},
		"canceled":              {[][]byte{begin("a"), end("a", text(vertexError, "x: context canceled"))}, "#1 RUN a|#1 CANCELED|", false},
		"several lines":         {[][]byte{begin("a"), print("a", "1\r\n\n2\n")}, "#1 RUN a|#1 1|#1 |#1 2|", false},
		"a warning":             {[][]byte{begin("a"), sub(statusWarnings, text(warningVertex, "a"), text(warningShort, "lint"))}, "#1 RUN a|#1 WARN: lint|", false},
		"a name of two lines":   {[][]byte{sub(statusVertexes, text(vertexDigest, "a"), text(vertexName, "RUN <<E\nx"), at(vertexStarted, 1))}, "#1 RUN <<E x|", false},
		"a log before":          {[][]byte{print("a", "x\n"), begin("a")}, "#1 x|#1 RUN a|", false},
		"an endless line":       {[][]byte{print("a", strings.Repeat("x", maxPartial)), print("a", "yz"), print("a", "end\n")}, "#1 " + strings.Repeat("x", maxPartial) + "yz|#1 end|", false},
		"an unknown field":      {[][]byte{append(text(99, "x"), begin("a")...)}, "#1 RUN a|", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			out, progress := show(test.messages...)
			assert.Equal(t, test.want, strings.ReplaceAll(out, "\n", "|"))
			assert.Equal(t, test.failed, progress.failed())
		})
	}
}

func FuzzBuildkitProgress(f *testing.F) {
	f.Add(sub(statusVertexes, text(vertexDigest, "a"), text(vertexName, "RUN"), at(vertexStarted, 1), at(vertexCompleted, 2)))
	f.Add(sub(statusLogs, text(logVertex, "a"), text(logMessage, "x")))
	f.Add([]byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, data []byte) { // it must not panic, and must end every line
		out, _ := show(data, data)
		if out != "" && !strings.HasSuffix(out, "\n") {
			t.Errorf("the last line has no end: %q", out)
		}
	})
}
