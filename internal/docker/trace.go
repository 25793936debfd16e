package docker

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// traceID marks the messages of BuildKit: all that it tells of a build's progress and all that the build prints is in
// there, as protobuf. The one alternative, a session with the builder, takes a gRPC connection through the engine.
const traceID = "moby.buildkit.trace"

// The fields that matter of BuildKit's StatusResponse, Vertex, VertexLog and VertexWarning.
const (
	statusVertexes, statusLogs, statusWarnings = 1, 3, 4

	vertexDigest, vertexName, vertexCached, vertexStarted, vertexCompleted, vertexError = 1, 3, 4, 5, 6, 7

	logVertex, logMessage = 1, 4

	warningVertex, warningShort = 1, 3
)

// trace shows a build as "docker build --progress=plain" does: a number for each step, its name, and in front of each
// line that it prints.
type trace struct {
	out   io.Writer
	steps map[string]*step // by digest
}

// step is one vertex of the build.
type step struct {
	number int
	named  bool
	over   bool
	failed bool
	rest   []byte // what of a line has come
}

func newTrace(out io.Writer) *trace { return &trace{out: out, steps: map[string]*step{}} }

// longest is how much of a line is waited for. Whoever cuts lines for the peer cuts them shorter.
const longest = 64 << 10

// take shows one message. What it cannot read it leaves out: it is there for people, and the build's end is told apart.
func (t *trace) take(data []byte) {
	eachField(data, func(number protowire.Number, value []byte, _ uint64) {
		switch number {
		case statusVertexes:
			t.vertex(value)
		case statusLogs:
			t.log(value)
		case statusWarnings:
			t.warning(value)
		}
	})
}

// failed says whether a step has failed. It has not when an engine has taken the step for the same of another build:
// what that one prints goes to the other client alone.
func (t *trace) failed() bool {
	for _, s := range t.steps {
		if s.failed {
			return true
		}
	}
	return false
}

// close shows what has come of unfinished lines.
func (t *trace) close() {
	for _, s := range t.steps {
		t.flush(s)
	}
}

func (t *trace) step(digest []byte) *step {
	s := t.steps[string(digest)]
	if s == nil {
		s = &step{}
		t.steps[string(digest)] = s
	}
	return s
}

// name gives a step its number, in the order in which steps are first heard of.
func (t *trace) name(s *step, name string) {
	if s.number == 0 {
		for _, other := range t.steps {
			s.number = max(s.number, other.number)
		}
		s.number++
	}
	if !s.named && name != "" {
		s.named = true
		t.line(s, name)
	}
}

func (t *trace) line(s *step, text string) {
	fmt.Fprintf(t.out, "#%d %s\n", s.number, strings.ReplaceAll(text, "\n", " "))
}

func (t *trace) vertex(data []byte) {
	var digest []byte
	var name, failure string
	var cached bool
	var started, completed time.Time
	eachField(data, func(number protowire.Number, value []byte, varint uint64) {
		switch number {
		case vertexDigest:
			digest = value
		case vertexName:
			name = string(value)
		case vertexCached:
			cached = varint != 0
		case vertexStarted:
			started = timestamp(value)
		case vertexCompleted:
			completed = timestamp(value)
		case vertexError:
			failure = string(value)
		}
	})
	s := t.step(digest)
	if started.IsZero() && !cached || s.over {
		return
	}
	t.name(s, name)
	if completed.IsZero() {
		return
	}
	s.over = true
	t.flush(s)
	switch {
	case strings.HasSuffix(failure, "context canceled"): // since another one has failed
		t.line(s, "CANCELED")
	case failure != "":
		s.failed = true
		t.line(s, "ERROR: "+failure)
	case cached:
		t.line(s, "CACHED")
	default:
		t.line(s, fmt.Sprintf("DONE %.1fs", completed.Sub(started).Seconds()))
	}
}

func (t *trace) log(data []byte) {
	var digest, text []byte
	eachField(data, func(number protowire.Number, value []byte, _ uint64) {
		switch number {
		case logVertex:
			digest = value
		case logMessage:
			text = value
		}
	})
	s := t.step(digest)
	t.name(s, "")
	s.rest = append(s.rest, text...)
	for {
		line, rest, ok := bytes.Cut(s.rest, []byte("\n"))
		if !ok {
			break
		}
		t.line(s, string(bytes.TrimSuffix(line, []byte("\r"))))
		s.rest = rest
	}
	if len(s.rest) > longest {
		t.flush(s)
	}
}

func (t *trace) warning(data []byte) {
	var digest []byte
	var text string
	eachField(data, func(number protowire.Number, value []byte, _ uint64) {
		switch number {
		case warningVertex:
			digest = value
		case warningShort:
			text = string(value)
		}
	})
	s := t.step(digest)
	t.name(s, "")
	t.line(s, "WARN: "+text)
}

func (t *trace) flush(s *step) {
	if len(s.rest) > 0 {
		t.line(s, string(s.rest))
		s.rest = nil
	}
}

// timestamp reads a google.protobuf.Timestamp.
func timestamp(data []byte) time.Time {
	var seconds, nanoseconds uint64
	eachField(data, func(number protowire.Number, _ []byte, varint uint64) {
		switch number {
		case 1:
			seconds = varint
		case 2:
			nanoseconds = varint
		}
	})
	return time.Unix(int64(seconds), int64(nanoseconds))
}

// eachField calls take for every field of a protobuf message that holds bytes or a varint, until the message ends or
// cannot be read.
func eachField(data []byte, take func(number protowire.Number, value []byte, varint uint64)) {
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return
		}
		data = data[n:]
		switch kind {
		case protowire.BytesType:
			var value []byte
			if value, n = protowire.ConsumeBytes(data); n >= 0 {
				take(number, value, 0)
			}
		case protowire.VarintType:
			var value uint64
			if value, n = protowire.ConsumeVarint(data); n >= 0 {
				take(number, nil, value)
			}
		default:
			n = protowire.ConsumeFieldValue(number, kind, data)
		}
		if n < 0 {
			return
		}
		data = data[n:]
	}
}
