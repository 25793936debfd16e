// SPDX-License-Identifier: Apache-2.0

package docker_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/containerd/errdefs"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/test/fakeengine"
)

// lastCreate returns the body of the last create, without fields that are not set.
func lastCreate(t *testing.T, engine *fakeengine.Engine) (config, host map[string]any) {
	t.Helper()
	calls := engine.Calls(fakeengine.Create)
	require.NotEmpty(t, calls)
	require.NoError(t, json.Unmarshal(calls[len(calls)-1].Body, &config))
	host = config["HostConfig"].(map[string]any)
	for _, fields := range []map[string]any{config, host} {
		for name, value := range fields {
			if text, _ := json.Marshal(value); strings.Contains(` null "" 0 false [] {} [0,0] {"Name":""} `, " "+string(text)+" ") {
				delete(fields, name)
			}
		}
	}
	delete(config, "HostConfig")
	return config, host
}

// Swappiness and OomKillDisable, which the built-in controller always sends, fail on some engines (fabric#4606).
func TestNothingIsSentThatWasNotAskedFor(t *testing.T) {
	engine, client := connect(t)
	create(t, client)
	config, host := lastCreate(t, engine)
	assert.Equal(t, map[string]any{"Image": "base:1", "Healthcheck": map[string]any{"Test": []any{"NONE"}}}, config)
	assert.Equal(t, map[string]any{
		"CapDrop":       []any{"ALL"},
		"SecurityOpt":   []any{"no-new-privileges"},
		"RestartPolicy": map[string]any{"Name": "no", "MaximumRetryCount": 0.0},
		"LogConfig":     map[string]any{"Type": "json-file", "Config": nil},
	}, host)
}

func TestCreateSendsEveryField(t *testing.T) {
	engine, client := connect(t)
	_, _, err := client.CreateOrInspect(t.Context(), docker.Spec{
		Name: "one", Image: "base:1", Entrypoint: []string{"entry"}, Command: []string{"run", "it"}, Environment: []string{"A=b"},
		WorkingDir: "/work", Labels: map[string]string{"l": "v"}, Volumes: map[string]string{"/cache": "volume"}, NetworkMode: "host",
		Init: true, LogOptions: map[string]string{"max-size": "50m", "max-file": "5"},
		Security: docker.Security{Capabilities: []string{"CHOWN"}}, Resources: docker.Resources{Memory: 1 << 30, Pids: 100},
	})
	require.NoError(t, err)
	config, host := lastCreate(t, engine)
	delete(config, "Healthcheck")
	assert.Equal(t, map[string]any{
		"Image": "base:1", "Entrypoint": []any{"entry"}, "Cmd": []any{"run", "it"}, "Env": []any{"A=b"}, "WorkingDir": "/work",
		"Labels": map[string]any{"l": "v"},
	}, config)
	assert.Equal(t, map[string]any{
		"CapDrop":       []any{"ALL"},
		"CapAdd":        []any{"CAP_CHOWN"},
		"SecurityOpt":   []any{"no-new-privileges"},
		"RestartPolicy": map[string]any{"Name": "no", "MaximumRetryCount": 0.0},
		"LogConfig":     map[string]any{"Type": "json-file", "Config": map[string]any{"max-size": "50m", "max-file": "5"}},
		"Binds":         []any{"volume:/cache"},
		"NetworkMode":   "host",
		"Init":          true,
		"Memory":        float64(1 << 30),
		"MemorySwap":    float64(1 << 30), // no swap
		"PidsLimit":     100.0,
	}, host)
}

func TestCreateOrInspectReturnsTheHolder(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine, client := connect(t, flavour...)
			first := create(t, client)
			id, holder, err := client.CreateOrInspect(t.Context(), docker.Spec{Name: "one", Image: "base:1"})
			require.NoError(t, err)
			assert.Empty(t, id)
			require.NotNil(t, holder)
			assert.Equal(t, first, holder.ID)
			assert.Equal(t, "one", holder.Name)
			assert.Len(t, engine.Containers(), 1)
		})
	}
}

// Docker reserves a name before the container can be seen. Podman frees it a while after the container is gone.
func TestCreateOrInspectWaitsForAHolderThatCannotBeSeen(t *testing.T) {
	for _, status := range []int{http.StatusConflict, http.StatusInternalServerError} {
		engine, client := connect(t)
		const failures = 6
		for range failures {
			engine.On(fakeengine.Create, fakeengine.Once(fakeengine.Fail(status, "that name is already in use")))
		}
		assert.NotEmpty(t, create(t, client))
		assert.Len(t, engine.Calls(fakeengine.Create), failures+1)
	}
}

// An inspect costs the engine less than another create.
func TestCreateOrInspectInspectsAgainBeforeItRetries(t *testing.T) {
	engine, client := connect(t)
	want := create(t, client)
	engine.On(fakeengine.Inspect, fakeengine.Once(fakeengine.Fail(http.StatusNotFound, "No such container")))
	id, holder, err := client.CreateOrInspect(t.Context(), docker.Spec{Name: "one", Image: "base:1"})
	require.NoError(t, err)
	assert.Empty(t, id)
	assert.Equal(t, want, holder.ID)
	assert.Len(t, engine.Calls(fakeengine.Create), 2, "the holder's, and the first attempt")
}

func TestCreateOrInspectGivesUpOnAnEngineThatFails(t *testing.T) {
	engine, client := connect(t)
	engine.On(fakeengine.Create, fakeengine.Fail(http.StatusInternalServerError, "catatonit is missing"))
	_, _, err := client.CreateOrInspect(t.Context(), docker.Spec{Name: "one", Image: "base:1"})
	assert.ErrorContains(t, err, `creating container "one" from image "base:1": `)
	assert.ErrorContains(t, err, "catatonit is missing")
	assert.Len(t, engine.Calls(fakeengine.Create), 15)
}

// The engine completes a create even if its client disconnects. The caller must learn of the container to remove it.
func TestCreateOrInspectReportsAContainerDespiteASignal(t *testing.T) {
	for name, fault := range map[string]func(func()) fakeengine.Fault{"before": fakeengine.Before, "after": fakeengine.After} {
		t.Run(name, func(t *testing.T) {
			engine, client := connect(t)
			ctx, cancel := context.WithCancel(t.Context())
			engine.On(fakeengine.Create, fault(cancel))
			id, _, err := client.CreateOrInspect(ctx, docker.Spec{Name: "one", Image: "base:1"})
			require.NoError(t, err)
			assert.Equal(t, engine.Containers()[0].ID, id)
		})
	}
}

// Callers branch on the class of an error and show its text.
func TestErrorsKeepTheirClassAndNameTheObject(t *testing.T) {
	calls := map[string]struct {
		route fakeengine.Route
		call  func(ctx context.Context, client *docker.Engine) error
		doing string
	}{
		"image": {fakeengine.ImageInspect, func(ctx context.Context, c *docker.Engine) error { _, err := c.Image(ctx, "base:1"); return err }, `inspecting image "base:1": `},
		"pull": {fakeengine.Pull, func(ctx context.Context, c *docker.Engine) error {
			return c.Pull(ctx, docker.Pull{Ref: "base:1"}, func(string) {})
		}, `pulling image "base:1": `},
		"list":    {fakeengine.List, func(ctx context.Context, c *docker.Engine) error { _, err := c.List(ctx, nil); return err }, `listing containers: `},
		"inspect": {fakeengine.Inspect, func(ctx context.Context, c *docker.Engine) error { _, err := c.Inspect(ctx, "one"); return err }, `inspecting container "one": `},
		"start":   {fakeengine.Start, func(ctx context.Context, c *docker.Engine) error { return c.Start(ctx, "one") }, `starting container "one": `},
		"stop":    {fakeengine.Stop, func(ctx context.Context, c *docker.Engine) error { return c.Stop(ctx, "one", time.Second) }, `stopping container "one": `},
		"rename":  {fakeengine.Rename, func(ctx context.Context, c *docker.Engine) error { return c.Rename(ctx, "one", "two") }, `renaming container "one" to "two": `},
		"remove":  {fakeengine.Remove, func(ctx context.Context, c *docker.Engine) error { return c.Remove(ctx, "one") }, `removing container "one": `},
		"logs": {fakeengine.Logs, func(ctx context.Context, c *docker.Engine) error {
			_, err := c.FollowLog(ctx, "one", &docker.LogPosition{})
			return err
		}, `reading the logs of container "one": `},
		"wait": {fakeengine.Wait, func(ctx context.Context, c *docker.Engine) error { _, err := c.Wait(ctx, "one"); return err }, `waiting for container "one": `},
		"upload": {fakeengine.Upload, func(ctx context.Context, c *docker.Engine) error {
			return c.Upload(ctx, "one", "/", strings.NewReader(""))
		}, `uploading to / of container "one": `},
		"download": {fakeengine.Download, func(ctx context.Context, c *docker.Engine) error {
			_, err := c.Download(ctx, "one", "/etc")
			return err
		}, `downloading /etc of container "one": `},
		"commit":   {fakeengine.Commit, func(ctx context.Context, c *docker.Engine) error { return c.Commit(ctx, "one", "made:1", nil) }, `committing container "one" as image "made:1": `},
		"volume":   {fakeengine.VolumeInspect, func(ctx context.Context, c *docker.Engine) error { return c.EnsureVolume(ctx, "cache", nil) }, `inspecting volume "cache": `},
		"creation": {fakeengine.VolumeCreate, func(ctx context.Context, c *docker.Engine) error { return c.EnsureVolume(ctx, "cache", nil) }, `creating volume "cache": `},
		"clock":    {fakeengine.Info, func(ctx context.Context, c *docker.Engine) error { _, err := c.Clock(ctx); return err }, `asking the engine for its time: `},
	}
	classes := map[int]func(error) bool{
		http.StatusBadRequest: errdefs.IsInvalidArgument, http.StatusNotFound: errdefs.IsNotFound,
		http.StatusConflict: errdefs.IsConflict, http.StatusInternalServerError: errdefs.IsInternal,
	}
	tolerated := map[string]int{"stop": http.StatusNotFound, "remove": http.StatusNotFound, "volume": http.StatusNotFound}
	for name, test := range calls {
		for status, class := range classes {
			if tolerated[name] == status {
				continue
			}
			t.Run(name+" "+http.StatusText(status), func(t *testing.T) {
				engine, client := connect(t)
				create(t, client)
				engine.On(test.route, fakeengine.Fail(status, "the engine's message"))
				err := test.call(t.Context(), client)
				require.ErrorContains(t, err, test.doing)
				assert.ErrorContains(t, err, "the engine's message")
				assert.True(t, class(err), "class of %v", err)
				assert.False(t, docker.IsUnreachable(err))
			})
		}
		t.Run(name+" lost", func(t *testing.T) {
			engine, client := connect(t)
			create(t, client)
			engine.On(test.route, fakeengine.Drop())
			err := test.call(t.Context(), client)
			require.ErrorContains(t, err, test.doing)
			assert.True(t, docker.IsUnreachable(err), "class of %v", err)
		})
	}
}

func TestMalformedJSONIsAnError(t *testing.T) {
	engine, client := connect(t)
	create(t, client)
	engine.On(fakeengine.Inspect, fakeengine.Answer(http.StatusOK, `{"Id":"abc","Sta`))
	_, err := client.Inspect(t.Context(), "one")
	assert.ErrorContains(t, err, `inspecting container "one": `)
	engine.On(fakeengine.ImageInspect, fakeengine.Cut(30))
	_, err = client.Image(t.Context(), "base:1")
	assert.ErrorContains(t, err, `inspecting image "base:1": `)
}

func TestInspectFollowsAContainersLife(t *testing.T) {
	engine, client := connect(t)
	engine.SetProgram(func(p *fakeengine.Process) int { return 3 })
	id := create(t, client)
	found, err := client.Inspect(t.Context(), "one")
	require.NoError(t, err)
	assert.Equal(t, []string{id, "one", "created"}, []string{found.ID, found.Name, found.Status})
	assert.True(t, found.Started.IsZero() && found.Finished.IsZero(), "year 1 means not yet")
	assert.False(t, found.Created.IsZero() || found.Ended())

	exits, err := client.Wait(t.Context(), id)
	require.NoError(t, err)
	require.NoError(t, client.Start(t.Context(), id))
	assert.Equal(t, docker.Exit{Code: 3}, <-exits)
	found, err = client.Inspect(t.Context(), id)
	require.NoError(t, err)
	assert.True(t, found.Ended())
	assert.Equal(t, 3, found.ExitCode)
	assert.False(t, found.Started.IsZero() || found.Finished.IsZero())
}

func TestStop(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine, client := connect(t, flavour...)
			engine.SetProgram(fakeengine.Serve(5))
			id := create(t, client)
			require.NoError(t, client.Stop(t.Context(), id, time.Minute), "created: nothing to do")
			require.NoError(t, client.Start(t.Context(), id))
			require.NoError(t, client.Stop(t.Context(), id, time.Minute))
			assert.Equal(t, "60", engine.Calls(fakeengine.Stop)[0].Query.Get("t"))
			container, _ := engine.Container("one")
			assert.Equal(t, 5, container.ExitCode, "stopped, not killed")
			require.NoError(t, client.Stop(t.Context(), id, time.Minute), "ended: 304")
			require.NoError(t, client.Remove(t.Context(), id))
			require.NoError(t, client.Stop(t.Context(), id, time.Minute), "gone: 404")
		})
	}
}

func TestRemoveKillsAndToleratesAMissingContainer(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine, client := connect(t, flavour...)
			engine.SetProgram(fakeengine.Serve(0))
			id := create(t, client)
			require.NoError(t, client.Start(t.Context(), id))
			require.NoError(t, client.Remove(t.Context(), id))
			assert.Empty(t, engine.Containers())
			assert.Equal(t, "1", engine.Calls(fakeengine.Remove)[0].Query.Get("v"), "anonymous volumes are removed, too")
			assert.NoError(t, client.Remove(t.Context(), id))
		})
	}
}

// While another client removes a running container, the list of containers may still call it running.
func TestRemoveWaitsForAnotherClientsRemoval(t *testing.T) {
	for status, begin := range map[string]func(*fakeengine.Engine){
		"removing": func(e *fakeengine.Engine) { e.BeginRemoval("one") },
		"running": func(e *fakeengine.Engine) {
			e.On(fakeengine.Remove, fakeengine.Fail(http.StatusConflict, "already in progress"))
		},
	} {
		t.Run(status, func(t *testing.T) {
			engine, client := connect(t)
			id := create(t, client)
			begin(engine)
			engine.On(fakeengine.List, fakeengine.Nth(3, fakeengine.Before(func() { engine.RemoveContainer("one") })))
			require.NoError(t, client.Remove(t.Context(), id))
			assert.Empty(t, engine.Containers(), "it returns when the container is gone")

			engine, client = connect(t)
			id = create(t, client)
			begin(engine)
			ctx, cancel := context.WithCancel(t.Context())
			engine.On(fakeengine.List, fakeengine.Nth(3, fakeengine.Before(cancel)))
			assert.ErrorContains(t, client.Remove(ctx, id), "removing container")
		})
	}
}

// After a removal that has failed, the list of containers says "removing" for ever.
func TestRemoveDoesNotWaitForARemovalThatHasFailed(t *testing.T) {
	engine, client := connect(t)
	id := create(t, client)
	engine.BeginRemoval("one")
	engine.On(fakeengine.Remove, fakeengine.Fail(http.StatusInternalServerError, "unlinkat x: operation not permitted"))
	assert.ErrorContains(t, client.Remove(t.Context(), id), "operation not permitted")
	assert.Len(t, engine.Calls(fakeengine.Remove), 1)
}

// A holder that is going is waited for. If that takes long, callers may want another name.
func TestCreateOrInspectWaitsForAHolderThatIsGoing(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // it takes five seconds
			engine, client := connect(t, flavour...)
			old := create(t, client)
			engine.BeginRemoval("one")
			engine.On(fakeengine.List, fakeengine.Nth(3, fakeengine.Before(func() { engine.RemoveContainer("one") })))
			assert.NotEqual(t, old, create(t, client))

			engine, client = connect(t, flavour...)
			old = create(t, client)
			engine.BeginRemoval("one")
			_, holder, err := client.CreateOrInspect(t.Context(), docker.Spec{Name: "one", Image: "base:1"})
			require.NoError(t, err)
			require.NotNil(t, holder)
			assert.Equal(t, old, holder.ID)
			assert.True(t, holder.IsGoing())
		})
	}
}

// The list answers while an inspect hangs, but it does not say how a container ended.
func TestLookup(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine, client := connect(t, flavour...)
			id := create(t, client)
			_, _, err := client.CreateOrInspect(t.Context(), docker.Spec{Name: "one-2", Image: "base:1", Command: []string{"run"}})
			require.NoError(t, err)
			engine.On(fakeengine.Inspect, fakeengine.Hang())
			for _, by := range []string{"one", id} {
				found, err := client.Lookup(t.Context(), by)
				require.NoError(t, err)
				assert.Equal(t, []string{id, "one", "created"}, []string{found.ID, found.Name, found.Status})
				assert.WithinDuration(t, time.Now(), found.Created, time.Minute)
			}
			for _, by := range []string{"on", "o.e", strings.Repeat("0", 64)} {
				_, err = client.Lookup(t.Context(), by)
				assert.ErrorIs(t, err, docker.ErrNoContainer, by)
			}
		})
	}
}

func TestRenameFreesTheName(t *testing.T) {
	engine, client := connect(t)
	old := create(t, client)
	require.NoError(t, client.Rename(t.Context(), old, "two"))
	assert.NotEqual(t, old, create(t, client))
	assert.Len(t, engine.Containers(), 2)
}

func TestUploadAndDownload(t *testing.T) {
	_, client := connect(t)
	id := create(t, client)
	files := fakeengine.NewFiles(map[string]string{"/in/a": "content"})
	var archive bytes.Buffer
	require.NoError(t, files.Pack(&archive, "/in"))
	require.NoError(t, client.Upload(t.Context(), id, "/", bytes.NewReader(archive.Bytes())))
	out, err := client.Download(t.Context(), id, "/in")
	require.NoError(t, err)
	defer out.Close()
	got, err := io.ReadAll(out)
	require.NoError(t, err)
	assert.Equal(t, archive.Bytes(), got)
	err = client.Upload(t.Context(), id, "/missing", bytes.NewReader(archive.Bytes()))
	assert.True(t, errdefs.IsNotFound(err), "%v", err)
	_, err = client.Download(t.Context(), id, "/missing")
	assert.True(t, errdefs.IsNotFound(err), "%v", err)
}

func TestCommitSendsItsChanges(t *testing.T) {
	engine, client := connect(t)
	id := create(t, client)
	changes := []string{`LABEL "a"="b c"`, `LABEL "d"="\"e\""`}
	require.NoError(t, client.Commit(t.Context(), id, "fabric-chaincode/golang:abc", changes))
	query := engine.Calls(fakeengine.Commit)[0].Query
	assert.Equal(t, changes, query["changes"])
	assert.Equal(t, "0", query.Get("pause"))
	made, err := client.Image(t.Context(), "fabric-chaincode/golang:abc")
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"a": "b c", "d": `"e"`}, made.Labels)
	assert.Len(t, made.Layers, 2)
}

// Podman fails without a configuration in the request.
func TestCommitWorksOnEveryEngine(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine, client := connect(t, flavour...)
			require.NoError(t, client.Commit(t.Context(), create(t, client), "made:1", []string{"LABEL a=b"}))
			made, err := client.Image(t.Context(), "made:1")
			require.NoError(t, err)
			assert.Equal(t, "b", made.Labels["a"])
			assert.Len(t, engine.Calls(fakeengine.Commit), 1)
		})
	}
}

func TestEnsureVolumeCreatesAVolumeOnce(t *testing.T) {
	engine, client := connect(t)
	for range 2 {
		require.NoError(t, client.EnsureVolume(t.Context(), "cache", map[string]string{"kind": "cache"}))
	}
	assert.Equal(t, map[string]fakeengine.Volume{"cache": {Name: "cache", Labels: map[string]string{"kind": "cache"}}}, engine.Volumes())
	assert.Len(t, engine.Calls(fakeengine.VolumeCreate), 1)
}
