// SPDX-License-Identifier: Apache-2.0

package docker_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/test/fakeengine"
)

// What a proxy refuses must be known before a build needs it, so every call that the documentation lists is tried.
func TestEveryDocumentedCallIsTried(t *testing.T) {
	engine, client := connect(t)
	_, err := client.RefusedCalls(t.Context())
	require.NoError(t, err)
	var tried []string
	for _, call := range engine.Calls()[1:] { // the first is that of Connect
		tried = append(tried, call.Endpoint)
	}
	assert.ElementsMatch(t, documentedCalls(t, "../../docs/peer-image.md"), tried)
}

// An engine answers them all with errors, which must not be taken for a proxy's.
func TestCallsThatAreTriedChangeNothing(t *testing.T) {
	for name, options := range flavours {
		t.Run(name, func(t *testing.T) {
			engine, client := connect(t, options...)
			refused, err := client.RefusedCalls(t.Context())
			require.NoError(t, err)
			assert.Empty(t, refused)
			assert.Empty(t, engine.Containers())
			assert.Equal(t, []string{"base:1"}, engine.Images())
			assert.Empty(t, engine.Unnamed())
			assert.Empty(t, engine.Volumes())
		})
	}
}

func TestRefusedCallsAreFound(t *testing.T) {
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusMethodNotAllowed} {
		engine, client := connect(t)
		for _, route := range []fakeengine.Route{fakeengine.Commit, fakeengine.Distribution, fakeengine.Pull} {
			engine.On(route, fakeengine.Fail(status, "not on the list"))
		}
		refused, err := client.RefusedCalls(t.Context())
		require.NoError(t, err)
		assert.Equal(t, []string{"POST /images/create", "POST /commit", "GET /distribution/{name}/json"}, callsOf(refused))
		assert.Empty(t, refused[1].Need, "every build may need a commit")
	}
}

func callsOf(refused []docker.RefusedCall) []string {
	var calls []string
	for _, one := range refused {
		calls = append(calls, one.Call)
	}
	return calls
}

func TestInRegistry(t *testing.T) {
	engine, client := connect(t)
	engine.Publish(fakeengine.Image{Name: "registry.example.com/a:1", Architecture: "arm64"})
	platforms, err := client.InRegistry(t.Context(), docker.Pull{Ref: "registry.example.com/a:1", Credentials: docker.Credentials{User: "ada", Password: "s3cret"}})
	require.NoError(t, err)
	assert.Equal(t, []string{"linux/arm64"}, platforms)
	assert.Equal(t, "ada", engine.Calls(fakeengine.Distribution)[0].Credentials(t)["username"])
	_, err = client.InRegistry(t.Context(), docker.Pull{Ref: "registry.example.com/none:1"})
	assert.ErrorContains(t, err, `looking for image "registry.example.com/none:1" in its registry: `)
	assert.Equal(t, []string{"base:1"}, engine.Images(), "nothing was pulled")

	engine.On(fakeengine.Distribution, fakeengine.Fail(http.StatusForbidden, "denied: s3cret"))
	_, err = client.InRegistry(t.Context(), docker.Pull{Ref: "registry.example.com/a:1", Credentials: docker.Credentials{User: "ada", Password: "s3cret"}})
	assert.ErrorContains(t, err, "denied: ***")
	assert.NotContains(t, err.Error(), "proxy", "engines pass on what a registry answers")
}
