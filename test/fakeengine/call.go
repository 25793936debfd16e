package fakeengine

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"
)

// Route is one kind of call.
type Route string

// The routes of the engine.
const (
	Ping           Route = "ping"
	Info           Route = "info"
	Pull           Route = "pull"
	ImageInspect   Route = "image inspect"
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
	NetworkList    Route = "network list"
	NetworkInspect Route = "network inspect"
)

// Call is one call of a client.
type Call struct {
	Route   Route
	Target  string // name of the container, image, volume or network
	Version string // of the API, as the client asked for it
	Query   url.Values
	Body    []byte // where it is JSON

	engine *Engine
	w      http.ResponseWriter
	r      *http.Request
	serve  func(*Call)
}

// serve records a call and hands it to the faults of its route, and through them to the route itself.
func (e *Engine) serve(route Route, serve func(*Call), w http.ResponseWriter, r *http.Request) {
	version, _ := r.Context().Value(versionKey{}).(string)
	call := &Call{Route: route, Version: version, Query: r.URL.Query(), engine: e, w: w, r: r, serve: serve}
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
	call.through(faults)
}

// target finds out what a call is about. A container that is called by its id is known by its name.
func (e *Engine) target(c *Call) string {
	switch c.Route {
	case Create:
		return c.Query.Get("name")
	case Pull:
		return reference(c.Query.Get("fromImage"), c.Query.Get("tag"))
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

// through hands the call to the first fault, whose Pass hands it to the next.
func (c *Call) through(faults []Fault) {
	if len(faults) == 0 {
		c.serve(c)
		return
	}
	passed := *c
	passed.serve = func(next *Call) {
		next.serve = c.serve
		next.through(faults[1:])
	}
	faults[0](&passed)
}

// Pass lets the engine go on with the call.
func (c *Call) Pass() { c.serve(c) }

// answer answers with JSON.
func (c *Call) answer(status int, value any) {
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(status)
	json.NewEncoder(c.w).Encode(value)
}

// fail answers with an error.
func (c *Call) fail(status int, format string, args ...any) { fail(c.w, status, format, args...) }

// Calls are the calls of a route so far, or of all routes.
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

// Await waits until a route has been called that often.
func (e *Engine) Await(t testing.TB, route Route, times int) {
	t.Helper()
	late := time.After(time.Minute)
	for {
		e.mu.Lock()
		so, recorded := len(e.callsLocked([]Route{route})), e.recorded
		e.mu.Unlock()
		if so >= times {
			return
		}
		select {
		case <-recorded:
		case <-late:
			t.Errorf("route %q was called %d times, expected %d", route, so, times)
			return
		}
	}
}
