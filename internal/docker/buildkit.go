// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// buildkitProgressID marks the messages that hold BuildKit's progress and the output of the build, as protobuf. The only
// alternative, a BuildKit session, needs a gRPC connection through the engine.
const buildkitProgressID = "moby.buildkit.trace"

// Numbers of the fields used here of BuildKit's StatusResponse, Vertex, VertexLog and VertexWarning.
const (
	statusVertexes, statusLogs, statusWarnings = 1, 3, 4

	vertexDigest, vertexName, vertexCached, vertexStarted, vertexCompleted, vertexError = 1, 3, 4, 5, 6, 7

	logVertex, logMessage = 1, 4

	warningVertex, warningShort = 1, 3
)

// buildkitProgress shows a build as "docker build --progress=plain" does: each step has a number, which precedes its name
// and every line of its output.
type buildkitProgress struct {
	out   io.Writer
	steps map[string]*step // by digest
}

// step is one vertex of the build.
type step struct {
	number  int // from 1, in the order in which steps first appear
	named   bool
	done    bool
	failed  bool
	partial []byte // the start of a line whose end has not arrived
}

func newBuildkitProgress(out io.Writer) *buildkitProgress {
	return &buildkitProgress{out: out, steps: map[string]*step{}}
}

// maxPartial is how many bytes of an unfinished line are kept before they are shown. Lines in the peer's log are shorter.
const maxPartial = 64 << 10

// decode decodes and shows one message. It skips what it cannot decode: the progress is for people only, and the end of
// the build does not depend on it.
func (p *buildkitProgress) decode(data []byte) {
	eachField(data, func(number protowire.Number, value []byte, _ uint64) {
		switch number {
		case statusVertexes:
			p.showVertex(value)
		case statusLogs:
			p.showLog(value)
		case statusWarnings:
			p.showWarning(value)
		}
	})
}

// failed reports whether a step is known to have failed. See [BuildError] for builds that fail without such a step.
func (p *buildkitProgress) failed() bool {
	for _, s := range p.steps {
		if s.failed {
			return true
		}
	}
	return false
}

// close shows unfinished lines.
func (p *buildkitProgress) close() {
	for _, s := range p.steps {
		p.flush(s)
	}
}

func (p *buildkitProgress) step(digest []byte) *step {
	s := p.steps[string(digest)]
	if s == nil {
		s = &step{}
		p.steps[string(digest)] = s
	}
	return s
}

// announce gives a step its number and shows its name, each once. The name is empty while it is not known.
func (p *buildkitProgress) announce(s *step, name string) {
	if s.number == 0 {
		for _, other := range p.steps {
			s.number = max(s.number, other.number)
		}
		s.number++
	}
	if !s.named && name != "" {
		s.named = true
		p.printLine(s, name)
	}
}

func (p *buildkitProgress) printLine(s *step, text string) {
	fmt.Fprintf(p.out, "#%d %s\n", s.number, strings.ReplaceAll(text, "\n", " "))
}

func (p *buildkitProgress) showVertex(data []byte) {
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
			started = parseTimestamp(value)
		case vertexCompleted:
			completed = parseTimestamp(value)
		case vertexError:
			failure = string(value)
		}
	})
	s := p.step(digest)
	if started.IsZero() && !cached || s.done {
		return
	}
	p.announce(s, name)
	if completed.IsZero() {
		return
	}
	s.done = true
	p.flush(s)
	switch {
	case strings.HasSuffix(failure, "context canceled"): // because another step failed
		p.printLine(s, "CANCELED")
	case failure != "":
		s.failed = true
		p.printLine(s, "ERROR: "+failure)
	case cached:
		p.printLine(s, "CACHED")
	default:
		p.printLine(s, fmt.Sprintf("DONE %.1fs", completed.Sub(started).Seconds()))
	}
}

func (p *buildkitProgress) showLog(data []byte) {
	var digest, text []byte
	eachField(data, func(number protowire.Number, value []byte, _ uint64) {
		switch number {
		case logVertex:
			digest = value
		case logMessage:
			text = value
		}
	})
	s := p.step(digest)
	p.announce(s, "")
	s.partial = append(s.partial, text...)
	for {
		line, rest, ok := bytes.Cut(s.partial, []byte("\n"))
		if !ok {
			break
		}
		p.printLine(s, string(bytes.TrimSuffix(line, []byte("\r"))))
		s.partial = rest
	}
	if len(s.partial) > maxPartial {
		p.flush(s)
	}
}

func (p *buildkitProgress) showWarning(data []byte) {
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
	s := p.step(digest)
	p.announce(s, "")
	p.printLine(s, "WARN: "+text)
}

func (p *buildkitProgress) flush(s *step) {
	if len(s.partial) > 0 {
		p.printLine(s, string(s.partial))
		s.partial = nil
	}
}

// parseTimestamp parses a google.protobuf.Timestamp.
func parseTimestamp(data []byte) time.Time {
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

// eachField calls visit for every field of a protobuf message that holds bytes or a varint, until the message ends or
// cannot be decoded.
func eachField(data []byte, visit func(number protowire.Number, value []byte, varint uint64)) {
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
				visit(number, value, 0)
			}
		case protowire.VarintType:
			var value uint64
			if value, n = protowire.ConsumeVarint(data); n >= 0 {
				visit(number, nil, value)
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
