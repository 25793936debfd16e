// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
)

const (
	cancelGrace       = 2 * time.Second        // how long finishDespiteCancel waits after the context ends
	nameTimeout       = 30 * time.Second       // how long a name may be in use while its container cannot be seen
	goingTimeout      = 5 * time.Second        // how long CreateOrInspect waits for a holder that is being removed
	createInterval    = 100 * time.Millisecond // between two attempts to create a container
	maxInternalErrors = 15                     // attempts while the engine answers 500: podman frees a name late
)

// CreateOrInspect creates a container. If the name is already in use, it returns the container that has the name as
// holder, as [Engine.Lookup] sees it, and an empty id: the name works as a lock.
//
// Engines report a name in use in different ways, so after any failure it looks for the name itself. If the name is in use
// but its container cannot be seen, the container is about to appear or to go, and the create is retried. So it is for a
// short while if the holder is being removed.
//
// If the answer to the create is lost, it tells the container of its own by the name or the label that spec calls its own.
//
// An image that the engine did not find may be there a moment later: containerd's store takes a name from one image before it
// gives it to another. The create is then repeated once.
func (e *Engine) CreateOrInspect(ctx context.Context, spec Spec) (id string, holder *Container, err error) {
	began, repeated := time.Now(), false
	for attempt := 1; ; attempt++ {
		id, createErr := e.create(ctx, spec)
		if createErr == nil {
			return id, nil, nil
		}
		found, lookErr := e.Lookup(ctx, spec.Name)
		switch {
		case lookErr == nil && spec.made(found):
			return found.ID, nil, nil
		case lookErr == nil && (!found.IsGoing() || time.Since(began) > goingTimeout):
			return "", &found, nil
		case lookErr == nil: // it is going
		case errors.Is(lookErr, ErrNoContainer) && errdefs.IsNotFound(createErr) && !repeated && e.hasImage(ctx, spec.Image):
			repeated = true
			continue
		case !errors.Is(lookErr, ErrNoContainer),
			errdefs.IsInternal(createErr) && attempt >= maxInternalErrors,
			!errdefs.IsInternal(createErr) && !errdefs.IsConflict(createErr),
			time.Since(began) > nameTimeout:
			return "", nil, e.noImageToCreate(ctx, spec, createErr)
		}
		select {
		case <-ctx.Done():
			return "", nil, createErr
		case <-time.After(createInterval):
		}
		if found, err := e.Lookup(ctx, spec.Name); err == nil && !found.IsGoing() { // cheaper for the engine than another create
			if spec.made(found) {
				return found.ID, nil, nil
			}
			return "", &found, nil
		}
	}
}

// made reports whether a create with this specification has made a container.
func (s Spec) made(found Container) bool {
	own := s.OwnName || s.OwnLabel != "" && found.Labels[s.OwnLabel] == s.Labels[s.OwnLabel]
	return own && !found.IsGoing()
}

func (e *Engine) hasImage(ctx context.Context, name string) bool {
	_, err := e.Image(ctx, name)
	return err == nil
}

// noImageToCreate marks a failed create if the image is missing. It looks for the image, because the engine answers a
// missing network or volume with the same status.
func (e *Engine) noImageToCreate(ctx context.Context, spec Spec, err error) error {
	if errdefs.IsNotFound(err) {
		if _, imageErr := e.Image(ctx, spec.Image); errors.Is(imageErr, ErrNoImage) {
			return missing{err, ErrNoImage}
		}
	}
	return err
}

func (e *Engine) create(ctx context.Context, spec Spec) (string, error) {
	created, err := finishDespiteCancel(ctx, func(ctx context.Context) (string, error) {
		created, err := e.api.ContainerCreate(ctx, spec.config(), spec.hostConfig(), spec.networking(), nil, spec.Name)
		return created.ID, err
	})
	if err != nil {
		return "", fmt.Errorf("creating container %q from image %q: %w", spec.Name, spec.Image, err)
	}
	return created, nil
}

// finishDespiteCancel makes a call that leaves something behind on the engine. The engine completes such a call even if
// its client disconnects, so the end of ctx does not interrupt it: finishDespiteCancel waits up to cancelGrace longer
// for the answer, so that the caller learns what to remove.
func finishDespiteCancel[T any](ctx context.Context, call func(context.Context) (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	if err := ctx.Err(); err != nil {
		var none T
		return none, context.Cause(ctx)
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), heavyTimeout)
		defer cancel()
		value, err := call(ctx)
		answers <- answer{value, err}
	}()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
	}
	select {
	case a := <-answers:
		return a.value, a.err
	case <-time.After(cancelGrace):
		var none T
		return none, context.Cause(ctx)
	}
}
