// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
)

// ErrUnreadableLog means that the container has a log driver that the engine cannot read from, or that a proxy in front of
// the engine refuses the call.
var ErrUnreadableLog = errors.New("the log driver does not support reading")

// LogPiece is a piece of a container's log: a line, or a part of a long one.
type LogPiece struct {
	Stderr bool
	Time   time.Time // by the engine's clock
	Data   []byte    // valid only while it is delivered
}

// sinceSlack is how much earlier than the position a following read begins, because stamps are not ordered over both
// streams.
const sinceSlack = time.Second

// How many of the last lines ReadLog asks for, until they reach back to the position. Zero is all.
var tails = []int{500, 10_000, 0}

// ReadLog delivers what the container's log holds beyond a position, and advances the position with what is delivered. It
// does not follow. It returns false if lines are missing, or may be, because the log no longer holds what followed the
// position.
//
// A read that does not follow is one state of the log, whatever rotates meanwhile, while a read that follows loses lines
// when the engine rotates the log. And an engine finds the last lines of a log of 200 MB in a millisecond, but what has been
// printed since a certain time in three seconds.
func (e *Engine) ReadLog(ctx context.Context, id string, position *LogPosition, deliver func(LogPiece) error) (complete bool, err error) {
	if position.empty() {
		return true, e.readTail(ctx, id, 0, position, deliver)
	}
	for _, tail := range tails {
		if err = e.readTail(ctx, id, tail, position, deliver); !errors.Is(err, errTooShort) {
			break
		}
	}
	return position.found(), err
}

// errTooShort means that the last lines of the log do not reach back to the position.
var errTooShort = errors.New("the last lines of the log begin too late")

// readTail reads so many of the last lines of the log, or all if there is no tail.
func (e *Engine) readTail(ctx context.Context, id string, tail int, position *LogPosition, deliver func(LogPiece) error) error {
	options := container.LogsOptions{Timestamps: true, Tail: "all"}
	if tail > 0 {
		options.Tail = strconv.Itoa(tail)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	output, err := e.openLog(ctx, id, options)
	if err != nil {
		return err
	}
	defer output.Close()
	position.startRead()
	first := true
	err = output.read(func(f frame) error {
		piece, err := parsePiece(f)
		if err != nil {
			return err
		}
		stream := position.stream(piece.Stderr)
		if first && tail > 0 && !stream.hasPassed(piece) { // nor has it passed what comes later in the log
			return errTooShort
		}
		first = false
		return deliverAll(stream.take(piece), deliver)
	})
	if err != nil {
		return err
	}
	if first && tail > 0 { // an empty log
		return errTooShort
	}
	return position.settle(deliver)
}

// settle delivers what is new of the pieces that a read has brought at its end with the last stamps.
func (p *LogPosition) settle(deliver func(LogPiece) error) error {
	for i := range p.streams {
		if err := deliverAll(p.streams[i].settle(), deliver); err != nil {
			return err
		}
	}
	return nil
}

func deliverAll(pieces []LogPiece, deliver func(LogPiece) error) error {
	for _, piece := range pieces {
		if err := deliver(piece); err != nil {
			return err
		}
	}
	return nil
}

// FollowLog returns the output of a container from the engine's log, from a position on, until the container ends. Copy
// advances the position, and drops what an engine sends twice when it rotates the log; with stamps of whole seconds that
// cannot always be told. What the engine leaves out at a rotation is lost, unless it came last: then a ReadLog from the
// position brings it.
func (e *Engine) FollowLog(ctx context.Context, id string, position *LogPosition) (*Output, error) {
	options := container.LogsOptions{Timestamps: true, Follow: true}
	if since := position.earliest(); !since.IsZero() {
		options.Since = formatSince(since.Add(-sinceSlack))
	}
	output, err := e.openLog(ctx, id, options)
	if err != nil {
		return nil, err
	}
	output.position = position
	return output, nil
}

// openLog requests the log of a container.
func (e *Engine) openLog(ctx context.Context, id string, options container.LogsOptions) (*Output, error) {
	options.ShowStdout, options.ShowStderr = true, true
	stream, err := e.api.ContainerLogs(ctx, id, options)
	if errdefs.IsNotImplemented(err) || errdefs.IsPermissionDenied(err) {
		err = missing{err, ErrUnreadableLog}
	}
	if err != nil {
		return nil, fmt.Errorf("reading the logs of container %q: %w", id, e.noContainer(ctx, id, err))
	}
	return &Output{stream: stream, close: func() { stream.Close() }}, nil
}

// formatSince formats a time as all engines read it.
func formatSince(t time.Time) string {
	return strconv.FormatInt(t.Unix(), 10) + fmt.Sprintf(".%09d", t.Nanosecond())
}

// parsePiece takes the stamp off a frame of the log. Each frame has one, the later pieces of a long line as well.
func parsePiece(f frame) (LogPiece, error) {
	stamp, data, ok := bytes.Cut(f.data, []byte(" "))
	when, err := time.Parse(time.RFC3339Nano, string(stamp))
	if !ok || err != nil {
		return LogPiece{}, fmt.Errorf("the log has no time stamp in %.40q", f.data)
	}
	return LogPiece{Stderr: f.stderr, Time: when, Data: data}, nil
}

// copyNew copies what is beyond the output's position.
func (o *Output) copyNew(stdout, stderr io.Writer) error {
	o.position.startRead()
	write := func(piece LogPiece) error {
		out := stdout
		if piece.Stderr {
			out = stderr
		}
		_, err := out.Write(piece.Data)
		return err
	}
	err := o.read(func(f frame) error {
		piece, err := parsePiece(f)
		if err != nil {
			return err
		}
		return deliverAll(o.position.stream(piece.Stderr).take(piece), write)
	})
	if err != nil {
		return err
	}
	return o.position.settle(write)
}
