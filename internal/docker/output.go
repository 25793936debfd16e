// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// Output is the output of a container: stdout and stderr, multiplexed in frames by the engine.
type Output struct {
	stream   io.Reader
	close    func()
	position *LogPosition // of a log with time stamps, otherwise nil
}

// Copy demultiplexes the output to stdout and stderr until it ends or Close is called. It returns an error if the output
// ends inside a frame, because then the connection was lost.
func (o *Output) Copy(stdout, stderr io.Writer) error {
	if o.position != nil {
		return o.copyNew(stdout, stderr)
	}
	return o.read(func(f frame) error {
		out := stdout
		if f.stderr {
			out = stderr
		}
		_, err := out.Write(f.data)
		return err
	})
}

// read calls take with each frame until the output ends.
func (o *Output) read(take func(frame) error) error {
	guard := &frameGuard{stream: o.stream}
	_, err := stdcopy.StdCopy(frameTaker{false, take}, frameTaker{true, take}, guard)
	if err == nil && guard.insideFrame() {
		err = io.ErrUnexpectedEOF // StdCopy takes this for a clean end
	}
	if err != nil {
		return fmt.Errorf("reading the container's output: %w", err)
	}
	return nil
}

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
	conn, err := e.hijack(ctx, id, len(input) > 0)
	if err != nil {
		return nil, fmt.Errorf("attaching to container %q: %w", id, e.noContainer(ctx, id, err))
	}
	if err := send(ctx, conn, input); err != nil {
		conn.Close()
		return nil, fmt.Errorf("writing to the standard input of container %q: %w", id, err)
	}
	return &Output{stream: conn, close: func() { conn.Close() }}, nil
}

// send writes input. If ctx ends, it closes the connection, which ends a write.
func send(ctx context.Context, conn io.WriteCloser, input []byte) error {
	if len(input) == 0 {
		return nil
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	_, err := conn.Write(input)
	if !stop() {
		return context.Cause(ctx)
	}
	return err
}

// hijack attaches to a container and takes the connection over. It does so itself because the SDK drops what the engine
// says when it refuses an attach.
func (e *Engine) hijack(ctx context.Context, id string, input bool) (io.ReadWriteCloser, error) {
	call := e.base.JoinPath("v"+e.api.ClientVersion(), "containers", id, "attach")
	query := url.Values{"stream": {"1"}, "stdout": {"1"}, "stderr": {"1"}}
	if input {
		query.Set("stdin", "1")
	}
	call.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, call.String(), http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header = http.Header{"Content-Type": {"text/plain"}, "Connection": {"Upgrade"}, "Upgrade": {"tcp"}}
	response, err := e.raw.Do(request)
	if err != nil {
		if cause := Cause(ctx); cause != nil {
			return nil, cause
		}
		return nil, errors.Unwrap(err) // without the URL of [url.Error]
	}
	conn, isConn := response.Body.(io.ReadWriteCloser)
	if response.StatusCode != http.StatusSwitchingProtocols || !isConn {
		defer response.Body.Close()
		message, _ := readMessage(response)
		return nil, fmt.Errorf("error response from the engine: %s: %s", response.Status, message)
	}
	return conn, nil
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
