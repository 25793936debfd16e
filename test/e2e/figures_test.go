// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/test/peer"
	"fabric-builder-docker/test/promtext"
)

// figure returns a function that reads counters of all peers that share a directory.
func figure(t *testing.T, directory string) func(series string) float64 {
	return func(series string) float64 {
		text, err := os.ReadFile(filepath.Join(directory, "fabric_chaincode_builder.prom"))
		require.NoError(t, err)
		values, err := promtext.Parse(string(text))
		require.NoError(t, err)
		value, there := values["fabric_chaincode_builder_"+series]
		require.True(t, there, series)
		return value
	}
}

// Two peers of one machine share the directory, as they share the engine.
func TestTwoPeersCountInOneFile(t *testing.T) {
	directory := t.TempDir()
	dir := builder(t, config(fmt.Sprintf("  metrics: {directory: %s}\n", directory)))
	read := figure(t, directory)
	one, two := newPeer(t, withBuilder(dir)), newPeer(t, withBuilder(dir))
	pkg := fresh(t, "golang", "kv_1.0", entries(t, filepath.Join(world.samples, "go"))...)
	id := one.install(t, pkg)
	assert.EqualValues(t, 1, read(`builds_total{type="golang",result="built"}`))
	assert.Positive(t, read(`build_seconds_total{phase="building"}`))
	two.install(t, pkg)
	assert.EqualValues(t, 1, read(`builds_total{type="golang",result="reused"}`))

	for _, p := range []*testPeer{one, two} {
		p.invoke(t, id, "put", "a", "1")
	}
	require.Eventually(t, func() bool { return read(`launches_total{result="started"}`) == 2 }, limit, 10*time.Millisecond)
	assert.Positive(t, read("launch_seconds_total"))
	_, err := one.Invoke(timeout(t), id, "exit", "2")
	require.ErrorIs(t, err, peer.ErrStreamTerminated)
	one.ended(t, id)
	require.NoError(t, two.Stop(timeout(t), id))
	stopped := two.ended(t, id).ExitCode()
	assert.EqualValues(t, 1, read(`exits_total{cause="ended",status="2"}`))
	assert.EqualValues(t, 1, read(fmt.Sprintf(`exits_total{cause="stopped",status="%d"}`, stopped)))
	assert.Zero(t, read(`oom_kills_total{container="chaincode"}`))
	for _, p := range []*testPeer{one, two} {
		assert.False(t, strings.Contains(p.said("build")+p.said("run"), "cannot write the figures"))
	}
}
