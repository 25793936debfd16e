package imagebuild_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/imagebuild"
	"fabric-builder-docker/test/fakeengine"
)

// hostOf is the host configuration of the build container, as far as limits and networks go.
func hostOf(t *testing.T, limits imagebuild.Limits) map[string]any {
	t.Helper()
	engine := newEngine(t)
	b := newBuilder(t, engine)
	b.Limits = limits
	_, err := b.build(t.Context(), t)
	require.NoError(t, err)
	var body struct{ HostConfig map[string]any }
	require.NoError(t, json.Unmarshal(engine.Calls(fakeengine.Create)[0].Body, &body))
	found := map[string]any{}
	for _, field := range []string{"Memory", "MemorySwap", "NanoCpus", "PidsLimit", "NetworkMode", "Init", "CapDrop"} {
		if value := body.HostConfig[field]; value != nil && value != 0.0 && value != "" {
			found[field] = value
		}
	}
	return found
}

func TestLimitsOfABuild(t *testing.T) {
	assert.Equal(t, map[string]any{"Init": true, "CapDrop": []any{"ALL"}}, hostOf(t, imagebuild.Limits{}), "nothing that was not asked for")
	assert.Equal(t, map[string]any{
		"Memory": float64(1 << 30), "MemorySwap": float64(1 << 30), "NanoCpus": 1.5e9, "PidsLimit": 512.0, "NetworkMode": "none",
		"CapDrop": []any{"ALL"},
	}, hostOf(t, imagebuild.Limits{Memory: 1 << 30, CPUs: 1.5, Pids: 512, Network: "none", NoInit: true}))
}

// Limits change how a build runs, not what comes out of it: all peers of a host share it, whatever theirs are.
func TestLimitsDoNotChangeTheNameOfTheImage(t *testing.T) {
	engine := newEngine(t)
	first, err := newBuilder(t, engine).build(t.Context(), t)
	require.NoError(t, err)
	limited := newBuilder(t, engine)
	limited.Limits = imagebuild.Limits{Memory: 1 << 30}
	second, err := limited.build(t.Context(), t)
	require.NoError(t, err)
	assert.Equal(t, first, second)
}
