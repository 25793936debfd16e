// SPDX-License-Identifier: Apache-2.0

package docker_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/test/fakeengine"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// The answers were recorded from real engines.
func TestBuildShowsProgressAndOutput(t *testing.T) {
	answers, err := filepath.Glob("testdata/build/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, answers)
	for _, answer := range answers {
		t.Run(filepath.Base(answer), func(t *testing.T) {
			body, err := os.ReadFile(answer)
			require.NoError(t, err)
			engine, client := connect(t)
			engine.On(fakeengine.Build, fakeengine.Answer(http.StatusOK, string(body)))
			var output bytes.Buffer
			err = client.Build(t.Context(), docker.Build{Name: "cc:1", Context: strings.NewReader("")}, &output)
			fmt.Fprintf(&output, "error: %v\n", err)
			golden := strings.TrimSuffix(answer, ".json") + ".txt"
			if *update {
				require.NoError(t, os.WriteFile(golden, output.Bytes(), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			assert.Equal(t, string(want), output.String())
		})
	}
}

// Podman tells which step failed in plain text, and BuildKit in its trace.
func TestWhetherAnEngineSaysWhichStepFailed(t *testing.T) {
	for body, unknown := range map[string]bool{
		`{"stream":"STEP 2/2: RUN false\n"}{"error":"exit status 1","errorDetail":{"message":"exit status 1"}}`: false,
		`{"error":"exit status 1","errorDetail":{"message":"exit status 1"}}`:                                   true,
	} {
		engine, client := connect(t)
		engine.On(fakeengine.Build, fakeengine.Answer(http.StatusOK, body))
		var failed *docker.BuildError
		require.ErrorAs(t, client.Build(t.Context(), docker.Build{Name: "cc:1", Context: strings.NewReader("")}, io.Discard), &failed)
		assert.Equal(t, unknown, failed.StepUnknown, body)
	}
}

func TestBuildSendsItsOptions(t *testing.T) {
	engine, client := connect(t)
	var sent string
	engine.SetBuilder(func(r *fakeengine.BuildRequest) *fakeengine.Image {
		sent = string(r.Context)
		return &fakeengine.Image{}
	})
	require.NoError(t, client.Build(t.Context(), docker.Build{
		Name: "p/docker:1", Context: strings.NewReader("a tar"), Args: map[string]string{"B": "", "A": "1"}, Labels: map[string]string{"l": "v"},
		CacheNamespace: "x", Network: "none", Memory: 1 << 30,
	}, io.Discard))
	assert.Equal(t, "a tar", sent)
	query := engine.Calls(fakeengine.Build)[0].Query
	for name, want := range map[string]string{
		"version": "2", "t": "p/docker:1", "buildargs": `{"A":"1","B":"","BUILDKIT_CACHE_MOUNT_NS":"x"}`, "labels": `{"l":"v"}`, "pull": "", "networkmode": "none",
		"memory": "1073741824", "forcerm": "1", "target": "", "session": "", "dockerfile": "Dockerfile",
	} {
		assert.Equal(t, want, query.Get(name), name)
	}
}

func TestBuildReportsFailures(t *testing.T) {
	tests := map[string]struct {
		body   string
		want   string
		failed bool
	}{
		"in the stream": {`{"stream":"Step 1"}{"errorDetail":{"code":3,"message":"returned a non-zero code: 3"},"error":"x"}`, "returned a non-zero code: 3", true},
		"error only":    {`{"error":"no such stage\n"}`, "no such stage", true},
		"cut off":       {`{"stream":"Step 1"}{"str`, "reading the engine's answer: unexpected EOF", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			engine, client := connect(t)
			engine.On(fakeengine.Build, fakeengine.Answer(http.StatusOK, test.body))
			err := client.Build(t.Context(), docker.Build{Name: "cc:1", Context: strings.NewReader("")}, io.Discard)
			require.ErrorContains(t, err, `building image "cc:1": `+test.want)
			var failed *docker.BuildError
			assert.Equal(t, test.failed, errors.As(err, &failed))
		})
	}
}

func TestBuildEndsWithItsContext(t *testing.T) {
	engine, client := connect(t)
	gone := make(chan struct{})
	engine.SetBuilder(func(r *fakeengine.BuildRequest) *fakeengine.Image {
		defer close(gone)
		_, err := io.WriteString(r.Answer, `{"stream":"Step 1\n"}`)
		assert.NoError(t, err)
		<-r.Gone
		return nil
	})
	stopped := errors.New("stopped by signal")
	ctx, cancel := context.WithCancelCause(t.Context())
	err := client.Build(ctx, docker.Build{Name: "cc:1", Context: strings.NewReader("")}, onWrite(func() { cancel(stopped) }))
	assert.ErrorIs(t, err, stopped)
	select {
	case <-gone: // the disconnect cancels the build on the engine
	case <-time.After(time.Minute):
		t.Error("the engine still has a connection")
	}
}

// onWrite is a writer that calls the function at each write.
type onWrite func()

func (call onWrite) Write(p []byte) (int, error) {
	call()
	return len(p), nil
}
