// SPDX-License-Identifier: Apache-2.0

package docker_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/test/fakeengine"
)

func TestCreateSendsResources(t *testing.T) {
	swappiness, off := int64(0), false
	tests := map[string]struct {
		resources docker.Resources
		want      map[string]any
	}{
		"memory without swap":  {docker.Resources{Memory: 1 << 30}, map[string]any{"Memory": float64(1 << 30), "MemorySwap": float64(1 << 30)}},
		"memory and swap":      {docker.Resources{Memory: 1 << 30, MemorySwap: 2 << 30}, map[string]any{"Memory": float64(1 << 30), "MemorySwap": float64(2 << 30)}},
		"swap without a limit": {docker.Resources{Memory: 1 << 30, MemorySwap: -1}, map[string]any{"Memory": float64(1 << 30), "MemorySwap": -1.0}},
		"processors":           {docker.Resources{CPUs: 1.25}, map[string]any{"NanoCpus": 1.25e9}},
		"a third, roughly":     {docker.Resources{CPUs: 0.3333333333}, map[string]any{"NanoCpus": 333333333.0}},
		"block weight":         {docker.Resources{BlkioWeight: 10}, map[string]any{"BlkioWeight": 10.0}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			engine, client := connect(t)
			_, _, err := client.CreateOrInspect(t.Context(), docker.Spec{Name: "one", Image: "base:1", Resources: test.resources})
			require.NoError(t, err)
			_, host := lastCreate(t, engine)
			for _, field := range []string{"CapDrop", "SecurityOpt", "RestartPolicy", "LogConfig"} {
				delete(host, field)
			}
			assert.Equal(t, test.want, host)
		})
	}
	engine, client := connect(t)
	_, _, err := client.CreateOrInspect(t.Context(), docker.Spec{Name: "one", Image: "base:1", Resources: docker.Resources{MemorySwappiness: &swappiness, OOMKillDisable: &off}})
	require.NoError(t, err)
	body := string(engine.Calls(fakeengine.Create)[0].Body)
	assert.Contains(t, body, `"MemorySwappiness":0`)
	assert.Contains(t, body, `"OomKillDisable":false`)
}
