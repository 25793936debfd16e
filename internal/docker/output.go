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

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// Output is the output of a container: stdout and stderr, multiplexed in frames by the engine.
type Output struct {
	stream io.Reader
	close  func()
}

// Copy demultiplexes the output to stdout and stderr until it ends or Close is called. It returns an error if the output
// ends inside a frame, because then the connection was lost.
func (o *Output) Copy(stdout, stderr io.Writer) error {
	frames := &frameReader{stream: o.stream}
	_, err := stdcopy.StdCopy(stdout, stderr, frames)
	if err == nil && frames.insideFrame() {
		err = io.ErrUnexpectedEOF // StdCopy takes this for a clean end
	}
	if err != nil {
		return fmt.Errorf("reading the container's output: %w", err)
	}
	return nil
}

// frameReader reads a multiplexed stream and tracks the position in its frames.
type frameReader struct {
	stream io.Reader
	header []byte // the part of the next frame's header that has been read
	left   int    // bytes of the current frame still to read
}

// headerSize is the size of a frame's header: one byte for the stream, three of padding, four for the frame's length.
const headerSize = 8

func (f *frameReader) Read(p []byte) (int, error) {
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

// insideFrame reports whether a frame has been read in part.
func (f *frameReader) insideFrame() bool { return f.left > 0 || len(f.header) > 0 }

// Close ends the output, and a Copy in progress. It may be called more than once.
func (o *Output) Close() { o.close() }

// Attach returns the output of a container from now on. Call it before Start: afterwards the beginning would be missing,
// and the attach to a container that has ended never answers. The connection outlives ctx: Close ends it.
//
// Attach writes input to the container's standard input, which stays open until Close. Engines accept at most 32 KiB for
// a container that is not started: longer input blocks Attach until its deadline.
func (e *Engine) Attach(ctx context.Context, id string, input []byte) (*Output, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	attached, err := e.hijack(ctx, id, len(input) > 0)
	if err != nil {
		// The SDK drops the class and the text of an error here. Callers need to know only if the container is gone.
		return nil, fmt.Errorf("attaching to container %q: %w", id, e.noContainer(ctx, id, err))
	}
	if err := send(ctx, attached.Conn, input); err != nil {
		attached.Close()
		return nil, fmt.Errorf("writing to the standard input of container %q: %w", id, err)
	}
	return &Output{stream: attached.Reader, close: attached.Close}, nil
}

// send writes input and stops when ctx ends.
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

// hijack attaches to a container. The SDK ignores ctx once it is connected, so hijack watches ctx itself.
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
		if cause := Cause(ctx); a.err != nil && cause != nil {
			return types.HijackedResponse{}, cause
		}
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

// Logs returns the output of a container from the engine's log, and follows it until the container ends. Output before
// since is left out, unless since is zero. Output that the log has rotated away is missing.
func (e *Engine) Logs(ctx context.Context, id string, since time.Time) (*Output, error) {
	options := container.LogsOptions{ShowStdout: true, ShowStderr: true, Follow: true}
	if !since.IsZero() {
		options.Since = strconv.FormatInt(since.Unix(), 10) + fmt.Sprintf(".%09d", since.Nanosecond())
	}
	stream, err := e.api.ContainerLogs(ctx, id, options)
	if err != nil {
		return nil, fmt.Errorf("reading the logs of container %q: %w", id, e.noContainer(ctx, id, err))
	}
	return &Output{stream: stream, close: func() { stream.Close() }}, nil
}

// Exit is the result of a wait. Code 0 does not prove that the container ran: engines also report 0 for a container that
// was removed before it started.
type Exit struct {
	Code int
	Err  error // the wait failed, and Code means nothing
}

// Wait registers with the engine for the next exit of a container, and returns once it is registered. Call it before
// Start, so that no exit is missed.
func (e *Engine) Wait(ctx context.Context, id string) (<-chan Exit, error) {
	return e.wait(ctx, id, container.WaitConditionNextExit)
}

// WaitEnded waits like [Wait], but the result is there at once if the container is not running.
func (e *Engine) WaitEnded(ctx context.Context, id string) (<-chan Exit, error) {
	return e.wait(ctx, id, container.WaitConditionNotRunning)
}

func (e *Engine) wait(ctx context.Context, id string, condition container.WaitCondition) (<-chan Exit, error) {
	answers, failures := e.api.ContainerWait(ctx, id, condition)
	exits := make(chan Exit, 1)
	select {
	case err := <-failures:
		return nil, fmt.Errorf("waiting for container %q: %w", id, e.noContainer(ctx, id, err))
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
			exits <- Exit{Err: fmt.Errorf("waiting for container %q: %w", id, e.noContainer(ctx, id, err))}
		}
	}()
	return exits, nil
}
