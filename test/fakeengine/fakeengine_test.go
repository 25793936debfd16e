// SPDX-License-Identifier: Apache-2.0

package fakeengine_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/test/fakeengine"
)

// The expected answers were measured on real engines, where Docker and podman differ. Those of podman to tag, untag and
// connect are from its source.
func TestAnswersAreThoseOfTheEngines(t *testing.T) {
	const create = `{"Image":"base:1","Cmd":["x"]}`
	tests := []struct {
		name           string
		before         []string
		call, body     string
		docker, podman string
	}{
		{"create, name in use", []string{"POST /containers/create?name=one"}, "POST /containers/create?name=one", create, "409", "500"},
		{"create, no such image", nil, "POST /containers/create?name=one", `{"Image":"none:1","Cmd":["x"]}`, "404", "404"},
		{"create, unknown network", nil, "POST /containers/create?name=one", `{"Image":"base:1","Cmd":["x"],"HostConfig":{"NetworkMode":"no"}}`, "201", "500"},
		{"kill when not running", []string{"POST /containers/create?name=one"}, "POST /containers/one/kill", "", "409", "500"},
		{"stop when not running", []string{"POST /containers/create?name=one"}, "POST /containers/one/stop", "", "304", "304"},
		{"start when running", []string{"POST /containers/create?name=one", "POST /containers/one/start"}, "POST /containers/one/start", "", "304", "304"},
		{"remove a running one", []string{"POST /containers/create?name=one", "POST /containers/one/start"}, "DELETE /containers/one", "", "409", "500"},
		{"wait, never started", []string{"POST /containers/create?name=one"}, "POST /containers/one/wait?condition=not-running", "", "200 0", "200 -1"},
		{"upload, no such directory", []string{"POST /containers/create?name=one"}, "PUT /containers/one/archive?path=/none", "", "404", "200"},
		{"pull that fails", nil, "POST /images/create?fromImage=none&tag=1", "", "500", "200"},
		{"tag, no such image", nil, "POST /images/none:1/tag?repo=other&tag=1", "", "404", "404"},
		{"untag, no such image", nil, "DELETE /images/none:1", "", "404", "404"},
		{"untag an image that a container uses", []string{"POST /containers/create?name=one"}, "DELETE /images/base:1", "", "409", "409"},
		{"untag one of its names", []string{"POST /containers/create?name=one", "POST /images/base:1/tag?repo=a/b&tag=1"}, "DELETE /images/base:1", "", "200", "200"},
		{"connect, unknown network", []string{"POST /containers/create?name=one"}, "POST /networks/no/connect", `{"Container":"one"}`, "200", "404"},
		{"connect, no such container", nil, "POST /networks/bridge/connect", `{"Container":"one"}`, "404", "404"},
		{"network host", nil, "GET /networks/host", "", "200", "404"},
		{"a version too new", nil, "GET /v1.99/info", "", "400", "200"},
	}
	for _, test := range tests {
		for flavour, want := range map[string]string{"docker": test.docker, "podman": test.podman} {
			t.Run(test.name+" "+flavour, func(t *testing.T) {
				var options []fakeengine.Option
				if flavour == "podman" {
					options = append(options, fakeengine.Podman())
				}
				engine := fakeengine.New(t, options...)
				engine.AddImage(fakeengine.Image{Name: "base:1"})
				engine.SetProgram(fakeengine.Serve(0))
				for _, call := range test.before {
					send(t, engine, call, create)
				}
				assert.Equal(t, want, send(t, engine, test.call, test.body))
			})
		}
	}
}

// send sends a request and returns the status of the answer, followed by the exit code if it is a wait's.
func send(t *testing.T, engine *fakeengine.Engine, call, body string) string {
	t.Helper()
	method, path, _ := strings.Cut(call, " ")
	request, err := http.NewRequestWithContext(t.Context(), method, "http://engine"+path, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", strings.TrimPrefix(engine.Host(), "unix://"))
	}}
	response, err := (&http.Client{Transport: transport}).Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	status := response.Status[:3]
	if strings.Contains(path, "/wait") {
		var answer struct{ StatusCode json.Number }
		require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
		status += " " + answer.StatusCode.String()
	}
	return status
}
