// SPDX-License-Identifier: Apache-2.0

package inventory_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/inventory"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/test/fakeengine"
)

func connect(t *testing.T, engine *fakeengine.Engine) *docker.Engine {
	t.Helper()
	client, err := docker.Connect(t.Context(), engine.Host())
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	return client
}

func TestRuns(t *testing.T) {
	engine := fakeengine.New(t)
	engine.SetProgram(fakeengine.Serve(0))
	client := connect(t, engine)
	engine.AddImage(fakeengine.Image{Name: name("golang", "1"), Command: []string{"chaincode"}, Labels: map[string]string{metadata.LabelKind: metadata.KindChaincode}})
	create := func(container string, labels map[string]string) string {
		id, _, err := client.CreateOrInspect(t.Context(), docker.Spec{Name: container, Image: name("golang", "1"), Labels: labels, NetworkMode: "bridge"})
		require.NoError(t, err)
		return id
	}
	labels := chaincode("basic_1.0:abc", "t1", "peer0", "", "", now).Labels
	labels[metadata.LabelBegan] = now.Add(-3 * time.Hour).Format(time.RFC3339Nano)
	require.NoError(t, client.Start(t.Context(), create("dev-peer0-basic-0123456789abcdef", labels)))
	create("dev-peer0-basic-0123456789abcdef-replaced-0123456789ab", labels)
	create("look", labels)                                                         // of an image that somebody has committed from one
	create("debug", map[string]string{metadata.LabelKind: metadata.KindChaincode}) // somebody's, with the labels of the image

	runs, err := inventory.Runs(t.Context(), client)
	require.NoError(t, err)
	require.Len(t, runs, 2)
	assert.EqualValues(t, 20e6, *runs[0].Memory, "without the page cache")
	assert.InDelta(t, 0.25, *runs[0].CPU, 0.001)
	assert.Empty(t, runs[0].Left)
	assert.Equal(t, "a later run has replaced it", runs[1].Left)
	var table bytes.Buffer
	require.NoError(t, inventory.Table(&table, inventory.RunTable(runs, now)))
	checkGolden(t, "runs.txt", table.Bytes())
}

// A proxy may refuse the measurement, and a container may end while it is measured.
func TestRunsThatCannotBeMeasuredAreShown(t *testing.T) {
	engine := fakeengine.New(t)
	engine.SetProgram(fakeengine.Serve(0))
	client := connect(t, engine)
	engine.AddImage(fakeengine.Image{Name: "cc:1", Command: []string{"chaincode"}})
	id, _, err := client.CreateOrInspect(t.Context(), docker.Spec{Name: "one-0123456789abcdef", Image: "cc:1", Labels: chaincode("a:1", "t", "p", "", "", now).Labels})
	require.NoError(t, err)
	require.NoError(t, client.Start(t.Context(), id))
	engine.On(fakeengine.Stats, fakeengine.Fail(403, "refused"))
	runs, err := inventory.Runs(t.Context(), client)
	require.NoError(t, err)
	require.Len(t, runs, 1)
	assert.Nil(t, runs[0].Memory)
}

func TestRunsMarkWhatIsKept(t *testing.T) {
	engine := fakeengine.New(t)
	client := connect(t, engine)
	engine.AddImage(fakeengine.Image{Name: "cc:1", Command: []string{"chaincode"}})
	labels := chaincode("a:1", "t", "p", "", "", now).Labels
	labels[metadata.LabelKeep] = "true"
	id, _, err := client.CreateOrInspect(t.Context(), docker.Spec{Name: "one-0123456789abcdef", Image: "cc:1", Labels: labels})
	require.NoError(t, err)
	exits, err := client.Wait(t.Context(), id)
	require.NoError(t, err)
	require.NoError(t, client.Start(t.Context(), id))
	<-exits
	runs, err := inventory.Runs(t.Context(), client)
	require.NoError(t, err)
	require.Len(t, runs, 1)
	assert.Equal(t, "kept for debugging; the next run of this chaincode removes it", runs[0].Left)
}
