// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// triedCall is a call in a form that changes nothing on an engine: it is for an object that does not exist, or the engine
// cannot accept its parameters. A proxy looks at the method and the path alone, or the engine answers.
type triedCall struct {
	call  string // as docs/peer-image.md lists it
	query string
	body  string // JSON; empty: none
	need  string // what needs it; empty: every build or launch
	slow  bool   // an engine may take long for the answer, and a proxy does not
}

// absent is the name of an object that no engine has. It is valid as the name of a container, an image, a volume or a network.
const absent = "fabric-builder-docker-check-no-such-object"

const (
	forDockerfiles = "packages with a Dockerfile"
	forPulls       = "pulls"
	forInventory   = "build --list and build --prune"
	forRunList     = "run --list, which leaves out memory and CPU without it"
	forNames       = "build --anew, build --list and build --prune"
	forCheck       = "build --check, to ask a registry for an image without a pull"
)

// triedCalls has a form of every call that this package makes.
var triedCalls = []triedCall{
	{call: "HEAD /_ping", need: "nothing: GET takes its place"},
	{call: "GET /version", need: forDockerfiles},
	{call: "GET /info"},
	{call: "GET /containers/json", query: `filters={"id":["` + absent + `"]}`},
	{call: "POST /containers/create", query: "name=" + absent, body: `{"Image":"` + absent + `","Cmd":["true"]}`},
	{call: "GET /containers/{name}/json"},
	{call: "POST /containers/{name}/start"},
	{call: "POST /containers/{name}/attach", query: "stream=1&stdout=1"},
	{call: "GET /containers/{name}/logs", query: "stdout=1"},
	{call: "POST /containers/{name}/wait"},
	{call: "POST /containers/{name}/stop"},
	{call: "POST /containers/{name}/rename", query: "name=" + absent + "-2"},
	{call: "DELETE /containers/{name}"},
	{call: "PUT /containers/{name}/archive", query: "path=/"},
	{call: "GET /containers/{name}/archive", query: "path=/"},
	{call: "HEAD /containers/{name}/archive", query: "path=/"},
	{call: "GET /images/json", query: `filters={"reference":["` + absent + `"]}`, need: forNames},
	{call: "GET /images/{name}/json"},
	{call: "POST /images/create", query: "fromImage=NO//SUCH&tag=none", need: forPulls},
	{call: "POST /images/{name}/tag", query: "repo=" + absent},
	{call: "DELETE /images/{name}"},
	{call: "POST /images/load", query: "quiet=1"},
	{call: "GET /images/get", query: "names=" + absent},
	{call: "POST /commit", query: "container=" + absent, body: "{}"},
	{call: "POST /build", query: "buildargs=none", need: forDockerfiles},
	{call: "GET /volumes/{name}"},
	{call: "POST /volumes/create", body: `{"Name":"*"}`},
	{call: "GET /volumes", query: `filters={"name":["` + absent + `"]}`, need: forInventory},
	{call: "GET /system/df", query: "type=none", need: forInventory + ", which leave out sizes without it", slow: true},
	{call: "DELETE /volumes/{name}", need: "build --prune"},
	{call: "GET /containers/{name}/stats", query: "stream=0", need: forRunList},
	{call: "GET /networks"},
	{call: "POST /networks/{name}/connect", body: `{"Container":"` + absent + `"}`},
	{call: "GET /distribution/{name}/json", need: forCheck},
}

// RefusedCall is a call that something between this program and the engine refuses.
type RefusedCall struct {
	Call string // such as POST /commit
	Need string // what needs it; empty: every build or launch
}

// Limits of a call that is tried. One that gets no answer in time was not refused: the engine is at work.
const (
	tryTimeout  = 5 * time.Second
	slowTimeout = time.Second
)

// RefusedCalls tries every call of this package in a form that changes nothing, and returns those that a proxy in front of the
// engine, or a plugin of the engine, refuses. It returns an error only if ctx ends.
func (e *Engine) RefusedCalls(ctx context.Context) ([]RefusedCall, error) {
	var refused []RefusedCall
	for _, tried := range triedCalls {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		if e.isRefused(ctx, tried) {
			refused = append(refused, RefusedCall{tried.call, tried.need})
		}
	}
	return refused, nil
}

// isRefused makes a call. An error of the connection is none of a proxy.
func (e *Engine) isRefused(ctx context.Context, tried triedCall) bool {
	limit := tryTimeout
	if tried.slow {
		limit = slowTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	request, err := tried.request(ctx, e.base.JoinPath("v"+e.api.ClientVersion()))
	if err != nil {
		return false
	}
	response, err := e.raw.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return slices.Contains(refusedStatuses, response.StatusCode)
}

func (t triedCall) request(ctx context.Context, base *url.URL) (*http.Request, error) {
	method, path, _ := strings.Cut(t.call, " ")
	name := absent
	if strings.HasPrefix(path, "/distribution/") {
		name = "NO-SUCH-IMAGE" // upper case is invalid, so no registry is asked
	}
	target := base.JoinPath(strings.Replace(path, "{name}", name, 1))
	query, err := url.ParseQuery(t.query)
	if err != nil {
		return nil, err
	}
	target.RawQuery = query.Encode()
	var body io.Reader = http.NoBody
	if t.body != "" {
		body = strings.NewReader(t.body)
	}
	request, err := http.NewRequestWithContext(ctx, method, target.String(), body)
	if err != nil {
		return nil, err
	}
	if t.body != "" {
		request.Header.Set("Content-Type", "application/json")
	} else if method != http.MethodGet && method != http.MethodHead {
		request.Header.Set("Content-Type", "application/x-tar")
	}
	return request, nil
}
