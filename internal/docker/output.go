package docker

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// Output is what a container prints: both streams in the frames of the engine.
type Output struct {
	stream io.Reader
	close  func()
}

// Copy takes the frames apart until the output ends or Close is called. Each stream goes to its own writer. An output
// that ends inside a frame was cut, which is an error.
func (o *Output) Copy(stdout, stderr io.Writer) error {
	frames := &frames{stream: o.stream}
	_, err := stdcopy.StdCopy(stdout, stderr, frames)
	if err == nil && frames.inside() {
		err = io.ErrUnexpectedEOF // StdCopy takes this for a clean end
	}
	if err != nil {
		return fmt.Errorf("reading the container's output: %w", err)
	}
	return nil
}

// frames passes a stream on and knows where in its frames it is.
type frames struct {
	stream io.Reader
	header []byte // what has come of the next frame's header
	left   int    // bytes to come of the frame
}

// headerSize is one byte that names the stream, three of padding, and four that hold the frame's length.
const headerSize = 8

func (f *frames) Read(p []byte) (int, error) {
	n, err := f.stream.Read(p)
	for read := p[:n]; len(read) > 0; {
		if f.left > 0 {
			data := min(f.left, len(read))
			f.left, read = f.left-data, read[data:]
			continue
		}
		part := min(headerSize-len(f.header), len(read))
		f.header, read = append(f.header, read[:part]...), read[part:]
		if len(f.header) == headerSize {
			f.left, f.header = int(binary.BigEndian.Uint32(f.header[4:])), f.header[:0]
		}
	}
	return n, err
}

// inside says whether a frame has begun and not ended.
func (f *frames) inside() bool { return f.left > 0 || len(f.header) > 0 }

// Close ends a Copy. It may be called more than once.
func (o *Output) Close() { o.close() }

// Attach connects to what a container prints from now on. It must come before the start: attached later, the
// beginning is missing, and an ended container never answers. The connection outlives ctx: Close ends it.
//
// Input, where there is any, is handed to the container's standard input, which stays open until Close. Engines take no
// more than 32 KiB from a container that is not started: the caller keeps below that.
func (e *Engine) Attach(ctx context.Context, id string, input []byte) (*Output, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	attached, err := e.hijack(ctx, id, len(input) > 0)
	if err != nil {
		// The SDK keeps neither class nor text of a refused attach. That the container has gone is the one reason to know.
		if _, gone := e.Inspect(ctx, id); errdefs.IsNotFound(gone) {
			err = gone
		}
		return nil, fmt.Errorf("attaching to container %q: %w", id, err)
	}
	if err := send(ctx, attached.Conn, input); err != nil {
		attached.Close()
		return nil, fmt.Errorf("writing to the standard input of container %q: %w", id, err)
	}
	return &Output{stream: attached.Reader, close: attached.Close}, nil
}

func send(ctx context.Context, conn net.Conn, input []byte) error {
	if len(input) == 0 {
		return nil
	}
	stop := context.AfterFunc(ctx, func() { conn.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	_, err := conn.Write(input)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// hijack attaches and ends with its context, which the SDK forgets as soon as the engine has taken the connection.
func (e *Engine) hijack(ctx context.Context, id string, input bool) (types.HijackedResponse, error) {
	type answer struct {
		attached types.HijackedResponse
		err      error
	}
	answers := make(chan answer, 1)
	go func() {
		options := container.AttachOptions{Stream: true, Stdin: input, Stdout: true, Stderr: true}
		attached, err := e.api.ContainerAttach(ctx, id, options)
		answers <- answer{attached, err}
	}()
	select {
	case a := <-answers:
		return a.attached, a.err
	case <-ctx.Done():
	}
	go func() {
		if late := <-answers; late.err == nil {
			late.attached.Close()
		}
	}()
	return types.HijackedResponse{}, context.Cause(ctx)
}

// Logs is what a container has printed and, until it ends, what it prints. Lines that the engine has rotated away are
// missing. Since cuts off what is older, unless it is zero.
func (e *Engine) Logs(ctx context.Context, id string, since time.Time) (*Output, error) {
	options := container.LogsOptions{ShowStdout: true, ShowStderr: true, Follow: true}
	if !since.IsZero() {
		options.Since = strconv.FormatInt(since.Unix(), 10) + fmt.Sprintf(".%09d", since.Nanosecond())
	}
	stream, err := e.api.ContainerLogs(ctx, id, options)
	if err != nil {
		return nil, fmt.Errorf("reading the logs of container %q: %w", id, err)
	}
	return &Output{stream: stream, close: func() { stream.Close() }}, nil
}

// Exit is how a wait ended. A wait's answer alone proves nothing: a container that was removed before it ever ran
// answers 0.
type Exit struct {
	Code int
	Err  error // the wait itself failed, the code means nothing
}

// Wait registers for the next end of a container and returns once the engine knows of it, so that no end is missed:
// call it before the start.
func (e *Engine) Wait(ctx context.Context, id string) (<-chan Exit, error) {
	return e.wait(ctx, id, container.WaitConditionNextExit)
}

// WaitEnded is Wait for a container that may have ended already, which is answered at once.
func (e *Engine) WaitEnded(ctx context.Context, id string) (<-chan Exit, error) {
	return e.wait(ctx, id, container.WaitConditionNotRunning)
}

func (e *Engine) wait(ctx context.Context, id string, condition container.WaitCondition) (<-chan Exit, error) {
	answers, failures := e.api.ContainerWait(ctx, id, condition)
	exits := make(chan Exit, 1)
	select {
	case err := <-failures:
		return nil, fmt.Errorf("waiting for container %q: %w", id, err)
	default:
	}
	go func() {
		select {
		case answer := <-answers:
			exit := Exit{Code: int(answer.StatusCode)}
			if answer.Error != nil && answer.Error.Message != "" {
				exit.Err = fmt.Errorf("waiting for container %q: %w", id, errors.New(answer.Error.Message))
			}
			exits <- exit
		case err := <-failures:
			exits <- Exit{Err: fmt.Errorf("waiting for container %q: %w", id, err)}
		}
	}()
	return exits, nil
}
