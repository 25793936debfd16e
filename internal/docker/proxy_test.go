// SPDX-License-Identifier: Apache-2.0

package docker_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/test/fakeengine"
)

// everyCall calls each method of an engine once, by its name, for a container that is not started.
var everyCall = map[string]func(ctx context.Context, e *docker.Engine, id string){
	"Attach": func(ctx context.Context, e *docker.Engine, id string) {
		if output, err := e.Attach(ctx, id, nil); err == nil {
			output.Close()
		}
	},
	"Attached": func(ctx context.Context, e *docker.Engine, id string) { e.Attached(ctx, id) },
	"Blob":     func(context.Context, *docker.Engine, string) {}, // no call of the API, and not needed
	"Build": func(ctx context.Context, e *docker.Engine, _ string) {
		e.Build(ctx, docker.Build{Context: &bytes.Buffer{}, Name: "new:1"}, io.Discard)
	},
	"Clock":   func(ctx context.Context, e *docker.Engine, _ string) { e.Clock(ctx) },
	"Close":   func(context.Context, *docker.Engine, string) {},
	"Commit":  func(ctx context.Context, e *docker.Engine, id string) { e.Commit(ctx, id, "new:1", nil) },
	"Connect": func(ctx context.Context, e *docker.Engine, id string) { e.Connect(ctx, id, "bridge", nil) },
	"CreateOrInspect": func(ctx context.Context, e *docker.Engine, _ string) {
		e.CreateOrInspect(ctx, docker.Spec{Name: "one", Image: "base:1"})
	},
	"Download": func(ctx context.Context, e *docker.Engine, id string) {
		if archive, err := e.Download(ctx, id, "/"); err == nil {
			archive.Close()
		}
	},
	"EnsureVolume": func(ctx context.Context, e *docker.Engine, _ string) { e.EnsureVolume(ctx, "volume", nil) },
	"Executable":   func(ctx context.Context, e *docker.Engine, id string) { e.Executable(ctx, id, "/bin/sh") },
	"Export": func(ctx context.Context, e *docker.Engine, _ string) {
		if archive, err := e.Export(ctx, "base:1"); err == nil {
			archive.Close()
		}
	},
	"FollowLog": func(ctx context.Context, e *docker.Engine, id string) {
		if output, err := e.FollowLog(ctx, id, &docker.LogPosition{}); err == nil {
			output.Close()
		}
	},
	"Host":       func(context.Context, *docker.Engine, string) {},
	"Image":      func(ctx context.Context, e *docker.Engine, _ string) { e.Image(ctx, "base:1") },
	"Describe":   func(ctx context.Context, e *docker.Engine, _ string) { e.Describe(ctx) },
	"ImageNames": func(ctx context.Context, e *docker.Engine, _ string) { e.ImageNames(ctx, "fabric-chaincode/*") },
	"Images":     func(ctx context.Context, e *docker.Engine, _ string) { e.Images(ctx, "kind") },
	"InRegistry": func(ctx context.Context, e *docker.Engine, _ string) {
		e.InRegistry(ctx, docker.Pull{Ref: "base:1"})
	},
	"Inspect":         func(ctx context.Context, e *docker.Engine, id string) { e.Inspect(ctx, id) },
	"List":            func(ctx context.Context, e *docker.Engine, _ string) { e.List(ctx, nil) },
	"Load":            func(ctx context.Context, e *docker.Engine, _ string) { e.Load(ctx, &bytes.Buffer{}) },
	"Lookup":          func(ctx context.Context, e *docker.Engine, id string) { e.Lookup(ctx, id) },
	"MissingNetworks": func(ctx context.Context, e *docker.Engine, _ string) { e.MissingNetworks(ctx, []string{"fabric"}) },
	"Networks":        func(ctx context.Context, e *docker.Engine, _ string) { e.Networks(ctx) },
	"PathExists":      func(ctx context.Context, e *docker.Engine, id string) { e.PathExists(ctx, id, "/etc") },
	"Pull": func(ctx context.Context, e *docker.Engine, _ string) {
		e.Pull(ctx, docker.Pull{Ref: "base:1"}, func(string) {})
	},
	"ReadLog": func(ctx context.Context, e *docker.Engine, id string) {
		e.ReadLog(ctx, id, &docker.LogPosition{}, func(docker.LogPiece) error { return nil })
	},
	"RefusedCalls":  func(context.Context, *docker.Engine, string) {}, // has a test of its own
	"IsRootless":    func(ctx context.Context, e *docker.Engine, _ string) { e.IsRootless(ctx) },
	"RootDir":       func(ctx context.Context, e *docker.Engine, _ string) { e.RootDir(ctx) },
	"Remove":        func(ctx context.Context, e *docker.Engine, id string) { e.Remove(ctx, id) },
	"RemoveUnnamed": func(ctx context.Context, e *docker.Engine, _ string) { e.RemoveUnnamed(ctx, "base:1") },
	"RemoveStopped": func(ctx context.Context, e *docker.Engine, id string) { e.RemoveStopped(ctx, id) },
	"RemoveVolume":  func(ctx context.Context, e *docker.Engine, _ string) { e.RemoveVolume(ctx, "volume") },
	"Rename":        func(ctx context.Context, e *docker.Engine, id string) { e.Rename(ctx, id, "two") },
	"Start":         func(ctx context.Context, e *docker.Engine, id string) { e.Start(ctx, id) },
	"Stats":         func(ctx context.Context, e *docker.Engine, id string) { e.Stats(ctx, id) },
	"Stop":          func(ctx context.Context, e *docker.Engine, id string) { e.Stop(ctx, id, time.Second) },
	"Tag":           func(ctx context.Context, e *docker.Engine, _ string) { e.Tag(ctx, "base:1", "new:1") },
	"Untag":         func(ctx context.Context, e *docker.Engine, _ string) { e.Untag(ctx, "base:1") },
	"Upload":        func(ctx context.Context, e *docker.Engine, id string) { e.Upload(ctx, id, "/", &bytes.Buffer{}) },
	"Usage":         func(ctx context.Context, e *docker.Engine, _ string) { e.Usage(ctx) },
	"Volumes":       func(ctx context.Context, e *docker.Engine, _ string) { e.Volumes(ctx, "kind") },
	"Wait":          func(ctx context.Context, e *docker.Engine, id string) { e.Wait(ctx, id) },
	"WaitEnded":     func(ctx context.Context, e *docker.Engine, id string) { e.WaitEnded(ctx, id) },
}

// documentedCall matches a row of the table in docs/peer-image.md.
var documentedCall = regexp.MustCompile("(?m)^\\| `([A-Z]+ /[^`]*)` \\|")

// A proxy in front of the engine's socket must allow exactly the calls that the documentation lists.
func TestTheCallsThatAProxyMustAllowAreDocumented(t *testing.T) {
	const file = "../../docs/peer-image.md"
	methods := reflect.TypeFor[*docker.Engine]()
	for i := range methods.NumMethod() {
		assert.Contains(t, everyCall, methods.Method(i).Name, "and its calls belong in %s", file)
	}
	made := map[string]bool{}
	for _, call := range everyCall {
		engine, client := connect(t)
		id := create(t, client)
		ctx, cancel := context.WithCancel(t.Context())
		call(ctx, client, id)
		cancel()
		for _, recorded := range engine.Calls() {
			made[recorded.Endpoint] = true
		}
	}
	assert.ElementsMatch(t, slices.Sorted(maps.Keys(made)), documentedCalls(t, file))
}

func documentedCalls(t *testing.T, file string) []string {
	t.Helper()
	table, err := os.ReadFile(file)
	require.NoError(t, err)
	var documented []string
	for _, row := range documentedCall.FindAllStringSubmatch(string(table), -1) {
		documented = append(documented, row[1])
	}
	return documented
}

func TestACallThatAProxyRefusesIsNamed(t *testing.T) {
	const page = "<html><body><h1>403 Forbidden</h1>\nRequest forbidden by administrative rules.\n</body></html>"
	for name, test := range map[string]struct {
		answer fakeengine.Fault
		said   string
	}{
		"a page":              {fakeengine.Answer(http.StatusForbidden, page), "(status 403): allow it there"},
		"a text":              {fakeengine.Answer(http.StatusMethodNotAllowed, "Method Not Allowed\n"), "(status 405): allow it there: Method Not Allowed"},
		"nothing":             {fakeengine.Answer(http.StatusForbidden, ""), "(status 403): allow it there"},
		"without credentials": {fakeengine.Answer(http.StatusUnauthorized, "Unauthorized"), "(status 401): allow it there: Unauthorized"},
		"as an engine would":  {fakeengine.Fail(http.StatusForbidden, "not on the list"), "(status 403): allow it there: not on the list"},
	} {
		t.Run(name, func(t *testing.T) {
			engine, client := connect(t, fakeengine.API("1.41", "1.24"))
			id := create(t, client)
			for _, route := range []fakeengine.Route{fakeengine.List, fakeengine.Start, fakeengine.Attach, fakeengine.Stat, fakeengine.NetworkList} {
				engine.On(route, test.answer)
			}
			const refuses = "a proxy in front of the engine, or a plugin of the engine, refuses the call "
			_, err := client.List(t.Context(), nil)
			assert.ErrorContains(t, err, "listing containers: ")
			assert.ErrorContains(t, err, refuses+"GET /v1.41/containers/json "+test.said)
			assert.NotContains(t, err.Error(), "<html>")
			assert.ErrorContains(t, client.Start(t.Context(), id), refuses+"POST /v1.41/containers/"+id+"/start "+test.said)
			_, err = client.Attach(t.Context(), id, nil)
			assert.ErrorContains(t, err, refuses+"POST /v1.41/containers/"+id+"/attach "+test.said)
			_, err = client.PathExists(t.Context(), id, "/etc")
			assert.ErrorContains(t, err, refuses+"HEAD /v1.41/containers/"+id+"/archive ")
			_, err = client.Networks(t.Context())
			assert.ErrorContains(t, err, refuses+"GET /v1.41/networks "+test.said)
		})
	}
}

func TestAProxyThatRefusesEverythingIsNamed(t *testing.T) {
	engine := fakeengine.New(t)
	engine.On(fakeengine.Ping, fakeengine.Answer(http.StatusForbidden, "Forbidden"))
	_, err := docker.Connect(t.Context(), engine.Host())
	assert.ErrorContains(t, err, "a proxy in front of the engine, or a plugin of the engine, refuses the call GET /_ping (status 403)")
}

// Engines pass on what a registry answers.
func TestARegistrysRefusalIsNotAProxys(t *testing.T) {
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		engine, client := connect(t)
		engine.On(fakeengine.Pull, fakeengine.Fail(status, "unauthorized: authentication required"))
		err := client.Pull(t.Context(), docker.Pull{Ref: "registry.example.com/a:1"}, func(string) {})
		assert.ErrorContains(t, err, "unauthorized: authentication required")
		assert.NotContains(t, err.Error(), "proxy")
	}
}
