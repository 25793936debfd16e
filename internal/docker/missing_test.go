// SPDX-License-Identifier: Apache-2.0

package docker_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/test/fakeengine"
)

// A 404 alone does not say what is missing. Callers create a container again if it is gone, and build an image again if
// that is gone, so one must not pass for the other, and neither for a missing path or network, or a registry's answer.
func TestAnErrorSaysWhatIsMissing(t *testing.T) {
	type call func(ctx context.Context, e *docker.Engine, id string) error
	createFrom := func(image string) call {
		return func(ctx context.Context, e *docker.Engine, _ string) error {
			_, _, err := e.CreateOrInspect(ctx, docker.Spec{Name: "two", Image: image})
			return err
		}
	}
	download := func(ctx context.Context, e *docker.Engine, id string) error {
		_, err := e.Download(ctx, id, "/nowhere")
		return err
	}
	pull := func(ctx context.Context, e *docker.Engine, _ string) error {
		return e.Pull(ctx, docker.Pull{Ref: "none:1"}, func(string) {})
	}
	start := func(ctx context.Context, e *docker.Engine, id string) error { return e.Start(ctx, id) }
	const container, image, path, nothing = "container", "image", "path", ""
	tests := map[string]struct {
		call  call
		on    string           // the container; empty: one that exists
		fault fakeengine.Route // answers 404 because of a network or a registry
		want  string           // what is missing, in the error's kind
	}{
		"inspect": {func(ctx context.Context, e *docker.Engine, id string) error { _, err := e.Inspect(ctx, id); return err }, "gone", "", container},
		"networks": {func(ctx context.Context, e *docker.Engine, id string) error {
			_, err := e.Attached(ctx, id)
			return err
		}, "gone", "", container},
		"start":             {start, "gone", "", container},
		"start, no network": {start, "", fakeengine.Start, nothing},
		"rename":            {func(ctx context.Context, e *docker.Engine, id string) error { return e.Rename(ctx, id, "two") }, "gone", "", container},
		"attach": {func(ctx context.Context, e *docker.Engine, id string) error {
			_, err := e.Attach(ctx, id, nil)
			return err
		}, "gone", "", container},
		"logs": {func(ctx context.Context, e *docker.Engine, id string) error {
			_, err := e.FollowLog(ctx, id, &docker.LogPosition{})
			return err
		}, "gone", "", container},
		"wait": {func(ctx context.Context, e *docker.Engine, id string) error {
			exits, err := e.Wait(ctx, id)
			if err != nil {
				return err
			}
			return (<-exits).Err
		}, "gone", "", container},
		"upload": {func(ctx context.Context, e *docker.Engine, id string) error {
			return e.Upload(ctx, id, "/", http.NoBody)
		}, "gone", "", container},
		"look for a path": {func(ctx context.Context, e *docker.Engine, id string) error {
			_, err := e.PathExists(ctx, id, "/x")
			return err
		}, "gone", "", container},
		"download":          {download, "gone", "", container},
		"download, no path": {download, "", "", path},
		"commit":            {func(ctx context.Context, e *docker.Engine, id string) error { return e.Commit(ctx, id, "new:1", nil) }, "gone", "", container},
		"inspect an image": {func(ctx context.Context, e *docker.Engine, _ string) error {
			_, err := e.Image(ctx, "none:1")
			return err
		}, "", "", image},
		"tag":                {func(ctx context.Context, e *docker.Engine, _ string) error { return e.Tag(ctx, "none:1", "new:1") }, "", "", image},
		"create":             {createFrom("none:1"), "", "", image},
		"create, no network": {createFrom("base:1"), "", fakeengine.Create, nothing},
		"pull":               {pull, "", "", nothing},
		"connect":            {func(ctx context.Context, e *docker.Engine, id string) error { return e.Connect(ctx, id, "bridge", nil) }, "gone", "", container},
		"pull, by a 404":     {pull, "", fakeengine.Pull, nothing},
	}
	kinds := map[string]error{container: docker.ErrNoContainer, image: docker.ErrNoImage, path: docker.ErrNoPath}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			engine, client := connect(t)
			id := create(t, client)
			if test.on != "" {
				id = test.on
			}
			if test.fault != "" {
				engine.On(test.fault, fakeengine.Fail(http.StatusNotFound, "not found"))
			}
			err := test.call(t.Context(), client, id)
			assert.Error(t, err)
			for kind, target := range kinds {
				assert.Equal(t, kind == test.want, errors.Is(err, target), "%s: %v", kind, err)
			}
			assert.Equal(t, test.want == container || test.want == image, docker.IsGone(err))
		})
	}
}

// While a container is being removed, engines answer calls with many statuses.
func TestAContainerThatIsGoingCountsAsGone(t *testing.T) {
	for flavour, options := range flavours {
		for name, call := range map[string]func(ctx context.Context, e *docker.Engine) error{
			"inspect": func(ctx context.Context, e *docker.Engine) error { _, err := e.Inspect(ctx, "one"); return err },
			"start":   func(ctx context.Context, e *docker.Engine) error { return e.Start(ctx, "one") },
			"logs": func(ctx context.Context, e *docker.Engine) error {
				_, err := e.FollowLog(ctx, "one", &docker.LogPosition{})
				return err
			},
			"upload":   func(ctx context.Context, e *docker.Engine) error { return e.Upload(ctx, "one", "/", http.NoBody) },
			"download": func(ctx context.Context, e *docker.Engine) error { _, err := e.Download(ctx, "one", "/"); return err },
			"path":     func(ctx context.Context, e *docker.Engine) error { _, err := e.PathExists(ctx, "one", "/"); return err },
			"commit":   func(ctx context.Context, e *docker.Engine) error { return e.Commit(ctx, "one", "new:1", nil) },
			"rename":   func(ctx context.Context, e *docker.Engine) error { return e.Rename(ctx, "one", "two") },
		} {
			t.Run(flavour+" "+name, func(t *testing.T) {
				engine, client := connect(t, options...)
				create(t, client)
				engine.BeginRemoval("one")
				assert.ErrorIs(t, call(t.Context(), client), docker.ErrNoContainer)
			})
		}
	}
}

// An engine's status alone does not prove that a container is gone.
func TestAContainerThatIsThereIsNotGone(t *testing.T) {
	for _, status := range []int{http.StatusNotFound, http.StatusConflict, http.StatusInternalServerError} {
		engine, client := connect(t)
		create(t, client)
		engine.On(fakeengine.Start, fakeengine.Fail(status, "No such container: one"))
		assert.NotErrorIs(t, client.Start(t.Context(), "one"), docker.ErrNoContainer)
	}
}
