package fakeengine

import (
	"encoding/json"
	"maps"
	"net/http"
)

// Volume is a named volume. The fake engine does not keep its content.
type Volume struct {
	Name   string
	Labels map[string]string
}

// Volumes returns all volumes by name.
func (e *Engine) Volumes() map[string]Volume {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.volumes)
}

// volumeCreate creates a volume, or returns the existing one, as engines do.
func (e *Engine) volumeCreate(c *Call) {
	var asked Volume
	if err := json.Unmarshal(c.Body, &asked); err != nil {
		c.fail(http.StatusBadRequest, "invalid JSON: %v", err)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	volume, ok := e.volumes[asked.Name]
	if !ok {
		volume = asked
		e.volumes[asked.Name] = volume
	}
	c.answer(http.StatusCreated, volume)
}

func (e *Engine) volumeInspect(c *Call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	volume, ok := e.volumes[c.Target]
	if !ok {
		c.fail(http.StatusNotFound, "get %s: no such volume", c.Target)
		return
	}
	c.answer(http.StatusOK, volume)
}
