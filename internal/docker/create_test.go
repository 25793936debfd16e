// SPDX-License-Identifier: Apache-2.0

package docker_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/test/fakeengine"
)

// While containerd's store gives the name of an image to another one, there is no image of that name for some milliseconds.
func TestCreateLooksForAnImageThatGetsItsNameTwice(t *testing.T) {
	engine, client := connect(t)
	engine.On(fakeengine.Create, fakeengine.Once(fakeengine.Fail(404, "No such image: base:1")))
	id, holder, err := client.CreateOrInspect(t.Context(), docker.Spec{Name: "one", Image: "base:1"})
	require.NoError(t, err)
	assert.Nil(t, holder)
	assert.NotEmpty(t, id)
	assert.Len(t, engine.Calls(fakeengine.Create), 2)

	engine.On(fakeengine.Create, fakeengine.Fail(404, "No such network: y"))
	_, _, err = client.CreateOrInspect(t.Context(), docker.Spec{Name: "two", Image: "base:1"})
	require.ErrorContains(t, err, "No such network: y")
	assert.NotErrorIs(t, err, docker.ErrNoImage)
	assert.Len(t, engine.Calls(fakeengine.Create), 4, "only once")
}

// The engine has created the container, and its answer is lost: the name is in use, and nobody else has it.
func TestCreateKnowsItsOwnContainer(t *testing.T) {
	for flavour, options := range flavours {
		t.Run(flavour, func(t *testing.T) {
			engine, client := connect(t, options...)
			spec := docker.Spec{Name: "lock", Image: "base:1", OwnLabel: "who", Labels: map[string]string{"who": "one"}}
			engine.On(fakeengine.Create, fakeengine.Once(fakeengine.Cut(0)))
			id, holder, err := client.CreateOrInspect(t.Context(), spec)
			require.NoError(t, err)
			assert.Nil(t, holder)
			found, ok := engine.Container("lock")
			require.True(t, ok)
			assert.Equal(t, found.ID, id)

			engine.On(fakeengine.Create, fakeengine.Once(fakeengine.Cut(0)))
			id, holder, err = client.CreateOrInspect(t.Context(), docker.Spec{Name: "random", Image: "base:1", OwnName: true})
			require.NoError(t, err)
			assert.Nil(t, holder)
			random, _ := engine.Container("random")
			assert.Equal(t, random.ID, id)

			spec.Labels = map[string]string{"who": "two"}
			id, holder, err = client.CreateOrInspect(t.Context(), spec)
			require.NoError(t, err)
			assert.Empty(t, id)
			assert.Equal(t, found.ID, holder.ID)
		})
	}
}
