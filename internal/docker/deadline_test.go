// SPDX-License-Identifier: Apache-2.0

package docker_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"fabric-builder-docker/internal/docker"
)

// lateContext is a context whose deadline has passed, but whose timer has not fired.
type lateContext struct {
	context.Context
	deadline time.Time
}

func (l lateContext) Deadline() (time.Time, bool) { return l.deadline, true }

func TestCauseWaitsForATimerThatIsLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Millisecond, func() { end(errors.New("too late")) })
		assert.EqualError(t, docker.Cause(lateContext{ctx, time.Now()}), "too late")
	})
}

func TestCauseDoesNotWaitForADeadline(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	assert.NoError(t, docker.Cause(ctx))
	cancel()
	assert.Equal(t, context.Canceled, docker.Cause(ctx))
	assert.NoError(t, docker.Cause(context.Background()))
}
