package baseimages

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/test/engine"
)

// pulls returns a puller whose engine answers every pull like this, and a
// counter of its pulls.
func pulls(t *testing.T, answer http.HandlerFunc) (*puller, *atomic.Int32) {
	t.Helper()
	var count atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		count.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	client, err := engine.NewClient(server.URL)
	require.NoError(t, err)
	p := newPuller(client, io.Discard)
	p.firstSign, p.silence = 200*time.Millisecond, 300*time.Millisecond
	return p, &count
}

func TestASilentRegistryIsAskedOnlyOnce(t *testing.T) {
	p, count := pulls(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	assert.False(t, p.pull(t.Context(), "hyperledger/fabric-ccenv:3.1"))
	assert.False(t, p.pull(t.Context(), "hyperledger/fabric-baseos:3.1"))
	assert.EqualValues(t, 1, count.Load())
}

func TestARegistryThatDoesNotHaveOneImageIsAskedForTheNext(t *testing.T) {
	p, count := pulls(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	assert.False(t, p.pull(t.Context(), "hyperledger/fabric-ccenv:3.1"))
	assert.False(t, p.pull(t.Context(), "hyperledger/fabric-baseos:3.1"))
	assert.EqualValues(t, 2, count.Load())
}

func TestAPullUnderWayMayTakeLongerThanTheFirstSign(t *testing.T) {
	p, _ := pulls(t, func(w http.ResponseWriter, r *http.Request) {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for range 5 {
			fmt.Fprintln(w, `{"status":"Downloading"}`)
			w.(http.Flusher).Flush()
			<-tick.C
		}
	})
	assert.True(t, p.pull(t.Context(), "hyperledger/fabric-ccenv:3.1"))
	assert.Less(t, p.waited, p.firstSign)
}

func TestAPullThatFallsSilentIsGivenUp(t *testing.T) {
	p, _ := pulls(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, `{"status":"Downloading"}`)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	assert.False(t, p.pull(t.Context(), "hyperledger/fabric-ccenv:3.1"))
	assert.True(t, p.gaveUp)
}
