// SPDX-License-Identifier: Apache-2.0

package docker_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/test/fakeengine"
)

func discard(string) {}

func TestCredentialsReachTheEngineInAHeaderOnly(t *testing.T) {
	tests := map[string]struct {
		credentials docker.Credentials
		want        map[string]string
	}{
		"none":              {docker.Credentials{Server: "registry.example.com"}, nil},
		"user and password": {docker.Credentials{User: "ada", Password: "s3cret", Server: "registry.example.com"}, map[string]string{"username": "ada", "password": "s3cret", "serveraddress": "registry.example.com"}},
		"an identity token": {docker.Credentials{IdentityToken: "t0ken", Server: "registry.example.com"}, map[string]string{"identitytoken": "t0ken", "serveraddress": "registry.example.com"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			engine, client := connect(t)
			engine.Publish(fakeengine.Image{Name: "registry.example.com/a:1"})
			require.NoError(t, client.Pull(t.Context(), docker.Pull{Ref: "registry.example.com/a:1", Credentials: test.credentials}, discard))
			call := engine.Calls(fakeengine.Pull)[0]
			assert.Equal(t, "fromImage=registry.example.com%2Fa&tag=1", call.Query.Encode())
			assert.Equal(t, test.want, call.Credentials(t))
		})
	}
}

// A registry may repeat credentials in its errors.
func TestPullNeverShowsASecret(t *testing.T) {
	basic := base64.StdEncoding.EncodeToString([]byte("ada:s3cret"))
	engine, client := connect(t)
	engine.On(fakeengine.Pull, func(c *fakeengine.Call) {
		answer := fmt.Sprintf(`{"status":"asking with s3cret"}{"errorDetail":{"message":"refused: %s s3cret %s"}}`, c.RegistryAuth, basic)
		fakeengine.Answer(http.StatusOK, answer)(c)
	})
	var lines []string
	err := client.Pull(t.Context(), docker.Pull{Ref: "a:1", Credentials: docker.Credentials{User: "ada", Password: "s3cret"}}, func(line string) { lines = append(lines, line) })
	require.ErrorContains(t, err, "refused: ")
	assert.NotContains(t, err.Error(), "s3cret")
	assert.NotContains(t, err.Error(), basic)
	assert.NotContains(t, err.Error(), base64.URLEncoding.EncodeToString([]byte(`{"username":"ada","password":"s3cret"}`)))
	assert.Equal(t, []string{"asking with ***"}, lines)
}

func TestPullIsCancelled(t *testing.T) {
	silent := fakeengine.Stream(func(answer io.Writer, gone <-chan struct{}) {
		io.WriteString(answer, `{"status":"Pulling"}`)
		<-gone
	})
	busy := fakeengine.Stream(func(answer io.Writer, gone <-chan struct{}) {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-gone:
				return
			case <-tick.C:
				io.WriteString(answer, `{"status":"Downloading","id":"a","progressDetail":{"current":1,"total":2}}`)
			}
		}
	})
	const short, long = 100 * time.Millisecond, time.Minute
	tests := map[string]struct {
		fault               fakeengine.Fault
		timeout, inactivity time.Duration
		want                error
	}{
		"no answer":                 {fakeengine.Hang(), long, short, docker.ErrPullStalled},
		"no answer, but a time-out": {fakeengine.Hang(), short, long, docker.ErrPullTimeout},
		"no progress":               {silent, long, short, docker.ErrPullStalled},
		"progress for too long":     {busy, short, long, docker.ErrPullTimeout},
		"only a time-out":           {busy, short, 0, docker.ErrPullTimeout},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			engine, client := connect(t)
			engine.On(fakeengine.Pull, test.fault)
			err := client.Pull(t.Context(), docker.Pull{Ref: "a:1", Timeout: test.timeout, Inactivity: test.inactivity}, discard)
			require.ErrorIs(t, err, test.want)
			assert.ErrorContains(t, err, `pulling image "a:1": `)
		})
	}
	t.Run("a signal", func(t *testing.T) {
		stopped := errors.New("stopped by signal")
		ctx, cancel := context.WithCancelCause(t.Context())
		engine, client := connect(t)
		engine.On(fakeengine.Pull, fakeengine.Before(func() { cancel(stopped) }))
		engine.On(fakeengine.Pull, fakeengine.Hang())
		assert.ErrorIs(t, client.Pull(ctx, docker.Pull{Ref: "a:1", Timeout: long, Inactivity: long}, discard), stopped)
	})
}

func TestTagAndUntag(t *testing.T) {
	for flavour, options := range flavours {
		t.Run(flavour, func(t *testing.T) {
			engine, client := connect(t, options...)
			const mirrored = "mirror.example.com/a:1"
			engine.AddImage(fakeengine.Image{Name: mirrored})
			require.NoError(t, client.Tag(t.Context(), mirrored, "a:1"))
			require.NoError(t, client.Untag(t.Context(), mirrored))
			require.NoError(t, client.Untag(t.Context(), mirrored), "the name is already gone")
			assert.Equal(t, []string{"tag " + mirrored + " a:1", "untag " + mirrored, "untag " + mirrored}, engine.ImageCalls())
			assert.Equal(t, "noprune=1", engine.Calls(fakeengine.Untag)[0].Query.Encode())
			assert.Equal(t, []string{"a:1", "base:1"}, engine.Images())
			assert.ErrorContains(t, client.Tag(t.Context(), "none:1", "a:1"), `tagging image "none:1" as "a:1": `)
		})
	}
}

func TestTheLastNameOfAnImageInUseStays(t *testing.T) {
	for flavour, options := range flavours {
		t.Run(flavour, func(t *testing.T) {
			_, client := connect(t, options...)
			create(t, client)
			assert.ErrorContains(t, client.Untag(t.Context(), "base:1"), `untagging image "base:1": `)
		})
	}
}
