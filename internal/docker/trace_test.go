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

func shown(messages ...[]byte) (string, *trace) {
	var out bytes.Buffer
	t := newTrace(&out)
	for _, m := range messages {
		t.take(m)
	}
	t.close()
	return out.String(), t
}

func TestTraceOfSteps(t *testing.T) {
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
		"one":                {[][]byte{begin("a"), begin("a"), print("a", "hello\n"), end("a"), end("a")}, "#1 RUN a|#1 hello|#1 DONE 2.0s|", false},
		"not begun":          {[][]byte{sub(statusVertexes, text(vertexDigest, "a"), text(vertexName, "RUN a"))}, "", false},
		"cached":             {[][]byte{end("a", cached)}, "#1 RUN a|#1 CACHED|", false},
		"side by side":       {[][]byte{begin("a"), begin("b"), print("a", "x"), print("b", "y\n"), print("a", "z\n"), end("b"), end("a")}, "#1 RUN a|#2 RUN b|#2 y|#1 xz|#2 DONE 2.0s|#1 DONE 2.0s|", false},
		"no last newline":    {[][]byte{begin("a"), print("a", "x"), end("a")}, "#1 RUN a|#1 x|#1 DONE 2.0s|", false},
		"cut":                {[][]byte{begin("a"), print("a", "x")}, "#1 RUN a|#1 x|", false},
		"failed":             {[][]byte{begin("a"), print("a", "x\n"), end("a", text(vertexError, "exit code: 3"))}, "#1 RUN a|#1 x|#1 ERROR: exit code: 3|", true},
		"failed in silence":  {[][]byte{begin("a"), end("a", text(vertexError, "exit code: 3"))}, "#1 RUN a|#1 ERROR: exit code: 3|", true},
		"canceled":           {[][]byte{begin("a"), end("a", text(vertexError, "x: context canceled"))}, "#1 RUN a|#1 CANCELED|", false},
		"several lines":      {[][]byte{begin("a"), print("a", "1\r\n\n2\n")}, "#1 RUN a|#1 1|#1 |#1 2|", false},
		"a warning":          {[][]byte{begin("a"), sub(statusWarnings, text(warningVertex, "a"), text(warningShort, "lint"))}, "#1 RUN a|#1 WARN: lint|", false},
		"a name of lines":    {[][]byte{sub(statusVertexes, text(vertexDigest, "a"), text(vertexName, "RUN <<E\nx"), at(vertexStarted, 1))}, "#1 RUN <<E x|", false},
		"a log before":       {[][]byte{print("a", "x\n"), begin("a")}, "#1 x|#1 RUN a|", false},
		"an endless line":    {[][]byte{print("a", strings.Repeat("x", longest)), print("a", "yz"), print("a", "end\n")}, "#1 " + strings.Repeat("x", longest) + "yz|#1 end|", false},
		"a field from later": {[][]byte{append(text(99, "x"), begin("a")...)}, "#1 RUN a|", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			out, tr := shown(test.messages...)
			assert.Equal(t, test.want, strings.ReplaceAll(out, "\n", "|"))
			assert.Equal(t, test.failed, tr.failed())
		})
	}
}

func FuzzTrace(f *testing.F) {
	f.Add(sub(statusVertexes, text(vertexDigest, "a"), text(vertexName, "RUN"), at(vertexStarted, 1), at(vertexCompleted, 2)))
	f.Add(sub(statusLogs, text(logVertex, "a"), text(logMessage, "x")))
	f.Add([]byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, data []byte) { // it must not panic, and lines stay lines
		out, _ := shown(data, data)
		if out != "" && !strings.HasSuffix(out, "\n") {
			t.Errorf("no whole line: %q", out)
		}
	})
}
