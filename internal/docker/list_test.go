// SPDX-License-Identifier: Apache-2.0

package docker_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/test/fakeengine"
)

func TestListFindsContainersByTheirLabels(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine, client := connect(t, flavour...)
			engine.SetProgram(fakeengine.Serve(0))
			ids := map[string]string{}
			for name, labels := range map[string]map[string]string{
				"created": {"kind": "build", "digest": "a=b"}, "running": {"kind": "build", "digest": "a=b", "more": ""},
				"other": {"kind": "build", "digest": "a"}, "none": nil,
			} {
				id, _, err := client.CreateOrInspect(t.Context(), docker.Spec{Name: name, Image: "base:1", Labels: labels})
				require.NoError(t, err)
				ids[name] = id
			}
			require.NoError(t, client.Start(t.Context(), ids["running"]))

			found, err := client.List(t.Context(), map[string]string{"kind": "build", "digest": "a=b"})
			require.NoError(t, err)
			require.Len(t, found, 2, "also what does not run")
			for _, container := range found {
				assert.Equal(t, ids[container.Name], container.ID)
				assert.Equal(t, container.Name, container.Status)
				assert.Equal(t, "a=b", container.Labels["digest"])
				assert.WithinDuration(t, time.Now(), container.Created, time.Minute)
			}
			all, err := client.List(t.Context(), nil)
			require.NoError(t, err)
			assert.Len(t, all, 4)
		})
	}
}

// Whoever removes what a list names must not get a stranger's container from an engine that filters loosely.
func TestListChecksTheLabelsItself(t *testing.T) {
	engine, client := connect(t)
	engine.On(fakeengine.List, fakeengine.Answer(http.StatusOK,
		`[{"Id":"1","Names":["/one"],"Labels":{"kind":"build","digest":"abc"}},{"Id":"2","Names":["/other/link","/two"],"Labels":{"kind":"build","digest":"a"}}]`))
	found, err := client.List(t.Context(), map[string]string{"kind": "build", "digest": "a"})
	require.NoError(t, err)
	require.Len(t, found, 1)
	assert.Equal(t, "two", found[0].Name)
}
