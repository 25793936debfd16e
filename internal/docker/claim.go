package docker

import (
	"context"
	"fmt"
	"time"

	"github.com/containerd/errdefs"
)

const (
	settleTime  = 2 * time.Second        // how long an answer is waited for after the context's end
	claimTime   = 30 * time.Second       // how long a name may be in use by a container that cannot be seen
	claimPause  = 100 * time.Millisecond // between two tries
	claimErrors = 15                     // tries on an engine that fails and does not say why: podman frees a name late
)

// Claim creates a container, and with it takes its name. If the name is taken, holder is the container that has it,
// and id is empty.
//
// Engines report a name in use in different ways, so the name itself is looked at after any failure. A name in use
// whose container is not there belongs to one that is about to appear or to go: it is tried again.
func (e *Engine) Claim(ctx context.Context, spec Spec) (id string, holder *Container, err error) {
	deadline := time.Now().Add(claimTime)
	for tries := 1; ; tries++ {
		id, createErr := e.create(ctx, spec)
		if createErr == nil {
			return id, nil, nil
		}
		found, inspectErr := e.Inspect(ctx, spec.Name)
		switch {
		case inspectErr == nil:
			return "", &found, nil
		case !errdefs.IsNotFound(inspectErr),
			errdefs.IsInternal(createErr) && tries >= claimErrors,
			!errdefs.IsInternal(createErr) && !errdefs.IsConflict(createErr),
			time.Now().After(deadline):
			return "", nil, createErr
		}
		select {
		case <-ctx.Done():
			return "", nil, createErr
		case <-time.After(claimPause):
		}
		if found, err := e.Inspect(ctx, spec.Name); err == nil { // by now it can be seen: less work than another create
			return "", &found, nil
		}
	}
}

func (e *Engine) create(ctx context.Context, spec Spec) (string, error) {
	created, err := settle(ctx, func(ctx context.Context) (string, error) {
		created, err := e.api.ContainerCreate(ctx, spec.config(), spec.hostConfig(), spec.networking(), nil, spec.Name)
		return created.ID, err
	})
	if err != nil {
		return "", fmt.Errorf("creating container %q from image %q: %w", spec.Name, spec.Image, err)
	}
	return created, nil
}

// settle makes a call that leaves something behind on the engine. The engine goes on with it when its caller has left,
// so the context's end does not interrupt it: the answer is waited for a little longer, and what was made can be
// removed.
func settle[T any](ctx context.Context, call func(context.Context) (T, error)) (T, error) {
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
	case <-time.After(settleTime):
		var none T
		return none, context.Cause(ctx)
	}
}
