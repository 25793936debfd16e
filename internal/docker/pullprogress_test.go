// SPDX-License-Identifier: Apache-2.0

package docker_test

import (
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/test/fakeengine"
)

func TestProgressOfAPull(t *testing.T) {
	engine, client := connect(t)
	messages := []struct{ message, want string }{
		{`{"status":"Pulling from library/golang","id":"1.26"}`, ""},
		{`{"status":"Pulling fs layer","progressDetail":{},"id":"aaaa"}`, "0 of 1 layers"},
		{`{"status":"Already exists","progressDetail":{},"id":"bbbb"}`, "1 of 2 layers"},
		{`{"status":"Pulling fs layer","progressDetail":{},"id":"cccc"}`, "1 of 3 layers"},
		{`{"status":"Downloading","progressDetail":{"current":1200000,"total":3400000},"progress":"[==>]","id":"aaaa"}`, "1 of 3 layers, 1.2 of 3.4 MB"},
		{`{"status":"Downloading","progressDetail":{"current":100000000,"total":300000000},"id":"cccc"}`, "1 of 3 layers, 101 of 303 MB"},
		{`{"status":"Download complete","progressDetail":{},"id":"aaaa"}`, "1 of 3 layers, 103 of 303 MB"},
		{`{"status":"Extracting","progressDetail":{"current":3,"units":"s"},"id":"aaaa"}`, "1 of 3 layers, 103 of 303 MB"},
		{`{"status":"Pull complete","progressDetail":{},"id":"aaaa"}`, "2 of 3 layers, 103 of 303 MB"},
		{`{"status":"Pull complete","progressDetail":{},"id":"cccc"}`, "3 of 3 layers, 303 of 303 MB"},
		{`{"status":"Downloading","progressDetail":{"current":-1,"total":-1},"id":"dddd"}`, "3 of 4 layers, 303 of 303 MB"},
		{`{"status":"Downloading","progressDetail":[1],"id":"dddd"}`, "3 of 4 layers, 303 of 303 MB"},
		{`{"status":"Digest: sha256:0123"}`, ""},
	}
	var want []string
	engine.On(fakeengine.Pull, fakeengine.Stream(func(answer io.Writer, _ <-chan struct{}) {
		for _, m := range messages {
			io.WriteString(answer, m.message+"\r\n")
		}
	}))
	for _, m := range messages {
		if m.want != "" {
			want = append(want, m.want)
		}
	}
	var got []string
	pull := docker.Pull{Ref: "golang:1.26", Progress: func(p docker.PullProgress) { got = append(got, p.String()) }}
	require.NoError(t, client.Pull(t.Context(), pull, discard))
	assert.Equal(t, want, got)
}
