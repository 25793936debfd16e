// SPDX-License-Identifier: Apache-2.0

package baseimages

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/test/engine"
)

// pulls is an engine that gives every pull the same answer. Tests use it with a fake clock.
type pulls struct {
	answer func(ctx context.Context, sign func()) error
	count  int
}

func (p *pulls) Stream(ctx context.Context, _ string, _ io.Reader, sign func()) error {
	p.count++
	return p.answer(ctx, sign)
}

func silent(ctx context.Context, _ func()) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestASilentRegistryIsAskedOnlyOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := &pulls{answer: silent}
		p, began := newPuller(engine, io.Discard), time.Now()
		assert.False(t, p.pull(t.Context(), "hyperledger/fabric-ccenv:3.1"))
		assert.False(t, p.pull(t.Context(), "hyperledger/fabric-baseos:3.1"))
		assert.Equal(t, 1, engine.count)
		assert.Equal(t, p.firstMessage, time.Since(began))
	})
}

func TestARegistryThatDoesNotHaveOneImageIsAskedForTheNext(t *testing.T) {
	var count atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		count.Add(1)
		w.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(server.Close)
	client, err := engine.NewClient(server.URL)
	require.NoError(t, err)
	p := newPuller(client, io.Discard)
	p.firstMessage = time.Minute
	assert.False(t, p.pull(t.Context(), "hyperledger/fabric-ccenv:3.1"))
	assert.False(t, p.pull(t.Context(), "hyperledger/fabric-baseos:3.1"))
	assert.EqualValues(t, 2, count.Load())
}

func TestAPullMayTakeLongerThanItsFirstMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := &pulls{}
		p, began := newPuller(engine, io.Discard), time.Now()
		engine.answer = func(ctx context.Context, sign func()) error {
			for range 10 {
				time.Sleep(min(p.firstMessage, p.silence) - time.Second)
				if ctx.Err() != nil {
					return ctx.Err()
				}
				sign()
			}
			return nil
		}
		assert.True(t, p.pull(t.Context(), "hyperledger/fabric-ccenv:3.1"))
		assert.Greater(t, time.Since(began), p.firstMessage+p.silence)
		assert.Less(t, p.waited, p.firstMessage)
	})
}

func TestAPullThatFallsSilentIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPuller(&pulls{answer: func(ctx context.Context, sign func()) error {
			sign()
			return silent(ctx, sign)
		}}, io.Discard)
		began := time.Now()
		assert.False(t, p.pull(t.Context(), "hyperledger/fabric-ccenv:3.1"))
		assert.True(t, p.gaveUp)
		assert.Equal(t, p.silence, time.Since(began))
	})
}
