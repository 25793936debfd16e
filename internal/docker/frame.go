package docker

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The streams of a frame, which its header names.
const (
	stdinFrame  = 0 // engines have used it for stdout
	stdoutFrame = 1
	stderrFrame = 2
	errorFrame  = 3 // an error of the engine
)

// headerSize is the size of a frame's header: one byte for the stream, three of padding, four for the frame's length.
const headerSize = 8

// maxFrame is the longest frame that is accepted. A longer one means that the stream is damaged, and must not make this
// program allocate what a header promises. Docker sends up to 32 KiB from an attach and 16 KiB from a log, or 256 KiB with
// log drivers that ask for longer pieces, podman 8 KiB; some versions of podman join the pieces of a long line.
const maxFrame = 16 << 20

// frame is a piece of a container's output.
type frame struct {
	stderr bool
	data   []byte // valid until the next frame is read
}

// frameReader reads frames from a multiplexed stream.
type frameReader struct {
	stream io.Reader
	buffer bytes.Buffer
}

// next reads one frame. It returns io.EOF at the end of the stream, and io.ErrUnexpectedEOF if the stream ends inside a
// frame, because then the connection was lost.
func (f *frameReader) next() (frame, error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(f.stream, header[:]); err != nil {
		return frame{}, err
	}
	size := int64(binary.BigEndian.Uint32(header[4:]))
	if header[0] > errorFrame || size > maxFrame {
		return frame{}, fmt.Errorf("invalid frame: stream %d, %d bytes", header[0], size)
	}
	f.buffer.Reset()
	n, err := f.buffer.ReadFrom(io.LimitReader(f.stream, size)) // grows with what arrives
	switch {
	case err != nil:
		return frame{}, err
	case n < size:
		return frame{}, io.ErrUnexpectedEOF
	case header[0] == errorFrame:
		return frame{}, fmt.Errorf("the engine reports: %w", errors.New(f.buffer.String()))
	}
	return frame{header[0] == stderrFrame, f.buffer.Bytes()}, nil
}
