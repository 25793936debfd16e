// SPDX-License-Identifier: Apache-2.0

package fakeengine

import (
	"encoding/json"
	"net/http"
)

func (e *Engine) wait(c *Call) {
	e.mu.Lock()
	found := c.findContainer()
	if found == nil {
		e.mu.Unlock()
		return
	}
	exits := found.exits
	e.mu.Unlock()
	s, done := e.openStream(Wait, true)
	defer done()
	// The client takes the header as a sign that the wait is registered.
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(http.StatusOK)
	flushing{c.w}.flush()

	var code int
	ended := func() bool { return e.waitIsOver(found, c.Query.Get("condition"), exits, &code) }
	gone := make(chan struct{})
	over := make(chan struct{})
	defer close(over)
	go func() {
		defer close(gone)
		select {
		case <-s.drop:
		case <-c.r.Context().Done():
		case <-over:
		}
	}()
	if !e.waitFor(found, nil, gone, ended) {
		panic(http.ErrAbortHandler)
	}
	json.NewEncoder(c.w).Encode(map[string]any{"StatusCode": code})
}

// waitIsOver reports whether a wait is over, and sets its exit code.
func (e *Engine) waitIsOver(c *container, condition string, exits int, code *int) bool {
	*code = c.exitCode
	switch condition {
	case "next-exit": // a container that never ran and is removed answers 0
		return c.exits > exits || c.removed || c.status == "removing"
	case "removed":
		if e.podman {
			*code = 0
		}
		return c.removed
	}
	if e.podman && c.status == "created" {
		*code = -1
	}
	return c.status != "running"
}
