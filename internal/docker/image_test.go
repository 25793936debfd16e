// SPDX-License-Identifier: Apache-2.0

package docker_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/containerd/errdefs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/test/fakeengine"
)

func TestImageReturnsItsConfiguration(t *testing.T) {
	engine, client := connect(t)
	engine.AddImage(fakeengine.Image{
		Name: "node:2", Layers: []string{"sha256:a", "sha256:b"}, Architecture: "arm64", User: "1000:1000", Env: []string{"A=b"},
		Entrypoint: []string{"e"}, Command: []string{"c"}, WorkingDir: "/w", Volumes: []string{"/data"}, Labels: map[string]string{"l": "v"},
	})
	found, err := client.Image(t.Context(), "docker.io/library/node:2")
	require.NoError(t, err)
	assert.Regexp(t, "^sha256:[0-9a-f]{64}$", found.ID)
	assert.JSONEq(t, `{"User":"1000:1000","Env":["A=b"],"Entrypoint":["e"],"Cmd":["c"],"Volumes":{"/data":{}},"WorkingDir":"/w","Labels":{"l":"v"}}`,
		string(found.Config), "all that is set, in the field's own names")
	assert.Equal(t, "docker.io/library/node:2", found.Name)
	found.Name, found.ID, found.Config = "", "", nil
	assert.Equal(t, docker.Image{
		Platform: "linux/arm64", Layers: []string{"sha256:a", "sha256:b"}, User: "1000:1000", Env: []string{"A=b"},
		Entrypoint: []string{"e"}, Command: []string{"c"}, WorkingDir: "/w", Volumes: []string{"/data"}, Labels: map[string]string{"l": "v"},
	}, found)
	_, err = client.Image(t.Context(), "node:3")
	assert.True(t, errdefs.IsNotFound(err), "%v", err)
}

func TestPullShowsStepsWithoutBars(t *testing.T) {
	engine, client := connect(t)
	engine.Publish(fakeengine.Image{Name: "hyperledger/fabric-ccenv:3.1"})
	var lines []string
	require.NoError(t, client.Pull(t.Context(), docker.Pull{Ref: "hyperledger/fabric-ccenv:3.1"}, func(line string) { lines = append(lines, line) }))
	assert.Equal(t, []string{"Pulling from hyperledger/fabric-ccenv:3.1", "layer: Pull complete"}, lines)
	_, err := client.Image(t.Context(), "hyperledger/fabric-ccenv:3.1")
	assert.NoError(t, err)
}

// Engines start to answer a pull before they know whether it succeeds.
func TestPullReadsItsAnswerToTheEnd(t *testing.T) {
	tests := map[string]struct{ body, want string }{
		"error detail": {`{"status":"Pulling"}{"errorDetail":{"message":"toomanyrequests"},"error":"older message"}`, "toomanyrequests"},
		"error only":   {`{"status":"Pulling"}{"error":"unauthorized"}`, "unauthorized"},
		"cut off":      {`{"status":"Pulling"}{"sta`, "reading the engine's answer: unexpected EOF"},
		"not JSON":     {`<html>`, "reading the engine's answer: "},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			engine, client := connect(t)
			engine.On(fakeengine.Pull, fakeengine.Answer(http.StatusOK, test.body))
			err := client.Pull(t.Context(), docker.Pull{Ref: "base:1"}, func(string) {})
			require.ErrorContains(t, err, `pulling image "base:1": `)
			assert.ErrorContains(t, err, test.want)
		})
	}
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			_, client := connect(t, flavour...)
			err := client.Pull(t.Context(), docker.Pull{Ref: "missing:1"}, func(string) {})
			assert.ErrorContains(t, err, "manifest unknown")
		})
	}
}

func TestImageNamesAreThoseThatMatch(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine, client := connect(t, flavour...)
			for i, name := range []string{"a/b/golang:1", "a/b/golang:2-x", "a/bc/golang:1", "golang:1"} {
				engine.AddImage(fakeengine.Image{Name: name, User: strconv.Itoa(i)})
			}
			names, err := client.ImageNames(t.Context(), "a/b/*")
			require.NoError(t, err)
			assert.ElementsMatch(t, []string{"a/b/golang:1", "a/b/golang:2-x"}, names)

			engine.On(fakeengine.ImageList, fakeengine.Fail(403, "refused"))
			_, err = client.ImageNames(t.Context(), "a/b/*")
			assert.ErrorContains(t, err, "listing images: ")
		})
	}
}

// Some packages name an image by its digest. Such an image has no tag.
func TestAnImageThatWasPulledByItsDigestHasAName(t *testing.T) {
	engine, client := connect(t)
	name := "registry.example.com/cc@sha256:" + strings.Repeat("a", 64)
	engine.AddImage(fakeengine.Image{Name: name, ID: "sha256:pinned", Labels: map[string]string{"ours": "yes"}})
	listed, err := client.Images(t.Context(), "ours")
	require.NoError(t, err)
	names := map[string][]string{}
	for _, image := range listed {
		names[image.ID] = image.Names
	}
	assert.Equal(t, []string{name}, names["sha256:pinned"])
	require.NoError(t, client.RemoveUnnamed(t.Context(), "sha256:pinned"))
	assert.Contains(t, engine.Images(), name)
}
