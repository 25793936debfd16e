// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/test/fakeengine"
)

// The tests use a fake clock: on a busy machine the pause between two messages may be as long as any limit.
func TestPullMayTakeLongerThanItsInactivityLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ctx, alive, done := Pull{Timeout: 10 * time.Minute, Inactivity: time.Minute}.withLimits(t.Context())
		defer done()
		for ctx.Err() == nil {
			time.Sleep(time.Minute - time.Second)
			alive()
		}
		assert.ErrorIs(t, context.Cause(ctx), ErrPullTimeout)
		assert.GreaterOrEqual(t, time.Since(began), 10*time.Minute)
	})
}

func TestPullWithoutProgressIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, alive, done := Pull{Timeout: 10 * time.Minute, Inactivity: time.Minute}.withLimits(t.Context())
		defer done()
		time.Sleep(30 * time.Second)
		alive()
		began := time.Now()
		<-ctx.Done()
		assert.ErrorIs(t, context.Cause(ctx), ErrPullStalled)
		assert.Equal(t, time.Minute, time.Since(began))
	})
}

func TestEveryMessageOfAPullIsProgress(t *testing.T) {
	fake := fakeengine.New(t)
	fake.On(fakeengine.Pull, fakeengine.Answer(http.StatusOK,
		`{"status":"Pulling"}{"status":"Downloading","id":"a","progressDetail":{"current":1,"total":2}}{"status":"Done"}`))
	engine, err := Connect(t.Context(), fake.Host())
	require.NoError(t, err)
	t.Cleanup(func() { engine.Close() })
	messages, lines := 0, 0
	require.NoError(t, engine.pull(t.Context(), Pull{Ref: "a:1"}, func() { messages++ }, func(string) { lines++ }))
	assert.Equal(t, 3, messages)
	assert.Equal(t, 2, lines, "a progress bar counts as progress, too")
}
