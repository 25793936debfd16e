// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"context"
	"errors"

	"github.com/containerd/errdefs"
)

// What a call can find missing. An error of this package wraps one of these only if that object is not on the engine, so
// "not found" has one meaning for callers: a registry without an image or a missing network gives none of them.
var (
	ErrNoContainer = errors.New("no such container")
	ErrNoImage     = errors.New("no such image")
	ErrNoPath      = errors.New("no such path in the container")
)

// IsGone reports whether a container or an image is missing. Operators prune, so it may have been there a moment ago.
func IsGone(err error) bool { return errors.Is(err, ErrNoContainer) || errors.Is(err, ErrNoImage) }

// missing is an error of the engine that says, in the engine's words, what is missing.
type missing struct {
	error
	what error // ErrNoContainer, ErrNoImage, ErrNoPath or ErrNotInRegistry
}

func (m missing) Is(target error) bool { return target == m.what }
func (m missing) Unwrap() error        { return m.error }

// noImage marks an engine's error for a call that looks for nothing but an image.
func noImage(err error) error {
	if errdefs.IsNotFound(err) {
		return missing{err, ErrNoImage}
	}
	return err
}

// noContainer marks an engine's error if the container is gone or going. Engines answer that with many statuses (404, 409,
// 500), which have other reasons, too, so noContainer looks for the container itself.
func (e *Engine) noContainer(ctx context.Context, id string, err error) error {
	if err == nil {
		return nil
	}
	found, lookErr := e.Lookup(ctx, id)
	if errors.Is(lookErr, ErrNoContainer) || lookErr == nil && found.IsGoing() {
		return missing{err, ErrNoContainer}
	}
	return err
}

// noPath marks an engine's error for a call about a path in a container: the container is gone, or else the path.
func (e *Engine) noPath(ctx context.Context, id string, err error) error {
	marked := e.noContainer(ctx, id, err)
	if errdefs.IsNotFound(err) && !errors.Is(marked, ErrNoContainer) && ctx.Err() == nil {
		return missing{err, ErrNoPath}
	}
	return marked
}
