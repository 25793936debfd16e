// SPDX-License-Identifier: Apache-2.0

package fakeengine

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// Route is an endpoint of the API.
type Route string

// The endpoints that the engine serves.
const (
	Ping           Route = "ping"
	Info           Route = "info"
	Version        Route = "version"
	Pull           Route = "pull"
	ImageInspect   Route = "image inspect"
	ImageList      Route = "image list"
	Tag            Route = "tag"
	Untag          Route = "untag"
	Distribution   Route = "distribution"
	Build          Route = "build"
	Load           Route = "load"
	Export         Route = "export"
	Blob           Route = "blob"
	Commit         Route = "commit"
	List           Route = "list"
	Create         Route = "create"
	Inspect        Route = "inspect"
	Start          Route = "start"
	Stop           Route = "stop"
	Kill           Route = "kill"
	Remove         Route = "remove"
	Rename         Route = "rename"
	Attach         Route = "attach"
	Logs           Route = "logs"
	Wait           Route = "wait"
	Upload         Route = "upload"
	Download       Route = "download"
	Stat           Route = "stat"
	VolumeCreate   Route = "volume create"
	VolumeInspect  Route = "volume inspect"
	VolumeList     Route = "volume list"
	VolumeRemove   Route = "volume remove"
	DiskUsage      Route = "disk usage"
	Stats          Route = "stats"
	NetworkList    Route = "network list"
	NetworkInspect Route = "network inspect"
	NetworkConnect Route = "network connect"
)

// Call is a client's request.
type Call struct {
	Route    Route
	Endpoint string // the call as the API's documentation lists it, such as GET /containers/{name}/json
	Target   string // name of the container, image, volume or network
	Version  string // API version in the path
	Query    url.Values
	Body     []byte // if it is JSON

	RegistryAuth string // header X-Registry-Auth, see [Call.Credentials]

	engine *Engine
	w      http.ResponseWriter
	r      *http.Request
	serve  func(*Call)
}

// serve records a call and passes it to the faults of its route, and through them to the handler.
func (e *Engine) serve(route Route, serve func(*Call), w http.ResponseWriter, r *http.Request) {
	version, _ := r.Context().Value(versionKey{}).(string)
	call := &Call{Route: route, Endpoint: endpoint(route, r), Version: version, Query: r.URL.Query(), RegistryAuth: r.Header.Get("X-Registry-Auth"), engine: e, w: w, r: r, serve: serve}
	if r.Header.Get("Content-Type") == "application/json" {
		call.Body, _ = io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(call.Body))
	}
	e.mu.Lock()
	call.Target = e.target(call)
	record := *call
	record.w, record.r, record.serve = nil, nil, nil
	e.calls = append(e.calls, record)
	close(e.recorded)
	e.recorded = make(chan struct{})
	faults := slices.Clone(e.faults[route])
	e.mu.Unlock()
	call.passThrough(faults)
}

// endpoint returns how the API's documentation lists a call.
func endpoint(route Route, r *http.Request) string {
	_, path, _ := strings.Cut(r.Pattern, "/")
	return r.Method + " /" + strings.Replace(path, "{name...}", "{name}", 1) + afterName[route]
}

// target returns the name of the object that a call is for. For a container it is the name, even if the call has the
// ID.
func (e *Engine) target(c *Call) string {
	switch c.Route {
	case Create:
		return c.Query.Get("name")
	case Pull:
		return reference(c.Query.Get("fromImage"), c.Query.Get("tag"))
	case Build:
		return c.Query.Get("t")
	case Export:
		return c.Query.Get("names")
	case Commit:
		return e.nameOf(c.Query.Get("container"))
	}
	return e.nameOf(c.r.PathValue("name"))
}

func (e *Engine) nameOf(id string) string {
	if container := e.find(id); container != nil {
		return container.name
	}
	return id
}

// passThrough calls the first fault, whose Pass calls the next, and after the last one the handler.
func (c *Call) passThrough(faults []Fault) {
	if len(faults) == 0 {
		c.serve(c)
		return
	}
	passed := *c
	passed.serve = func(next *Call) {
		next.serve = c.serve
		next.passThrough(faults[1:])
	}
	faults[0](&passed)
}

// Pass lets the engine handle the call.
func (c *Call) Pass() { c.serve(c) }

// answer sends a JSON response.
func (c *Call) answer(status int, value any) {
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(status)
	json.NewEncoder(c.w).Encode(value)
}

// beginStream begins a response that holds any number of JSON messages.
func (c *Call) beginStream() {
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(http.StatusOK)
}

// fail sends an error response.
func (c *Call) fail(status int, format string, args ...any) { fail(c.w, status, format, args...) }

// Calls returns the calls to these routes so far, or to all routes if none is given.
func (e *Engine) Calls(routes ...Route) []Call {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.callsLocked(routes)
}

func (e *Engine) callsLocked(routes []Route) []Call {
	var found []Call
	for _, call := range e.calls {
		if len(routes) == 0 || slices.Contains(routes, call.Route) {
			found = append(found, call)
		}
	}
	return found
}

// ImageCalls returns the calls so far that pull, build, tag and untag images, in the form "tag a:1 b:1".
func (e *Engine) ImageCalls() []string {
	var calls []string
	for _, call := range e.Calls(Pull, Build, Tag, Untag) {
		text := string(call.Route) + " " + call.Target
		if call.Route == Tag {
			text += " " + reference(call.Query.Get("repo"), call.Query.Get("tag"))
		}
		calls = append(calls, text)
	}
	return calls
}

// Await waits until a route has been called the given number of times. After a minute it fails the test.
func (e *Engine) Await(t testing.TB, route Route, times int) {
	t.Helper()
	late := time.After(time.Minute)
	for {
		e.mu.Lock()
		count, recorded := len(e.callsLocked([]Route{route})), e.recorded
		e.mu.Unlock()
		if count >= times {
			return
		}
		select {
		case <-recorded:
		case <-late:
			t.Errorf("route %q was called %d times, expected %d", route, count, times)
			return
		}
	}
}
