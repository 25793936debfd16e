package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
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

// Copy takes the frames apart until the output ends or Close is called. Each stream goes to its own writer.
func (o *Output) Copy(stdout, stderr io.Writer) error {
	if _, err := stdcopy.StdCopy(stdout, stderr, o.stream); err != nil {
		return fmt.Errorf("reading the container's output: %w", err)
	}
	return nil
}

// Close ends a Copy. It may be called more than once.
func (o *Output) Close() { o.close() }

// Attach connects to what a container prints from now on. It must come before the start: attached later, the
// beginning is missing, and an ended container never answers. The connection outlives ctx: Close ends it.
func (e *Engine) Attach(ctx context.Context, id string) (*Output, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	attached, err := e.hijack(ctx, id)
	if err == nil {
		return &Output{stream: attached.Reader, close: attached.Close}, nil
	}
	// The SDK keeps neither class nor text of a refused attach. That the container has gone is the one reason to know.
	if _, gone := e.Inspect(ctx, id); errdefs.IsNotFound(gone) {
		err = gone
	}
	return nil, fmt.Errorf("attaching to container %q: %w", id, err)
}

// hijack attaches and ends with its context, which the SDK forgets as soon as the engine has taken the connection.
func (e *Engine) hijack(ctx context.Context, id string) (types.HijackedResponse, error) {
	type answer struct {
		attached types.HijackedResponse
		err      error
	}
	answers := make(chan answer, 1)
	go func() {
		attached, err := e.api.ContainerAttach(ctx, id, container.AttachOptions{Stream: true, Stdout: true, Stderr: true})
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
