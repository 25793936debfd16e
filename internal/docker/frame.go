// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"encoding/binary"
	"fmt"
	"io"
)

// headerSize is the size of a frame's header: one byte for the stream, three of padding, four for the frame's length.
const headerSize = 8

// maxStream is the highest number of a stream in a frame's header: 0 and 1 are stdout, 2 is stderr, 3 an error of the engine.
const maxStream = 3

// maxFrame is the longest frame that is accepted. A longer one means that the stream is damaged, and must not make this
// program allocate what a header promises. Docker sends up to 32 KiB from an attach and 16 KiB from a log, or 256 KiB with
// log drivers that ask for longer pieces, podman 8 KiB; some versions of podman join the pieces of a long line.
const maxFrame = 16 << 20

// frame is a piece of a container's output.
type frame struct {
	stderr bool
	data   []byte // valid until the next frame is read
}

// frameTaker passes each frame of one stream on: stdcopy writes a frame at a time.
type frameTaker struct {
	stderr bool
	take   func(frame) error
}

func (t frameTaker) Write(data []byte) (int, error) {
	if err := t.take(frame{t.stderr, data}); err != nil {
		return 0, err
	}
	return len(data), nil
}

// frameGuard reads a multiplexed stream, checks the headers of its frames, and tracks the position in them.
type frameGuard struct {
	stream io.Reader
	header []byte // the part of the next frame's header that has been read
	left   int64  // bytes of the current frame still to read
}

func (g *frameGuard) Read(p []byte) (int, error) {
	n, err := g.stream.Read(p)
	for read := p[:n]; len(read) > 0; {
		if g.left > 0 {
			data := min(g.left, int64(len(read)))
			g.left, read = g.left-data, read[data:]
			continue
		}
		part := min(headerSize-len(g.header), len(read))
		g.header, read = append(g.header, read[:part]...), read[part:]
		if len(g.header) < headerSize {
			continue
		}
		g.left = int64(binary.BigEndian.Uint32(g.header[4:]))
		if stream := g.header[0]; stream > maxStream || g.left > maxFrame {
			return n, fmt.Errorf("invalid frame: stream %d, %d bytes", stream, g.left)
		}
		g.header = g.header[:0]
	}
	return n, err
}

// insideFrame reports whether a frame has been read in part.
func (g *frameGuard) insideFrame() bool { return g.left > 0 || len(g.header) > 0 }
