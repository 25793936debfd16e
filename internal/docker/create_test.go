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
