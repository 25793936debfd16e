package fakeengine

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
)

// Volume is a named volume. Its content is not modelled.
type Volume struct {
	Name   string
	Labels map[string]string
}

// Volumes are all volumes by name.
func (e *Engine) Volumes() map[string]Volume {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.volumes)
}

// volumeCreate makes a volume, or finds it, as engines do.
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

// AddNetwork makes a network.
func (e *Engine) AddNetwork(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.networks = append(e.networks, name)
}

// hasNetwork says whether a container can have that network mode. Empty is the engine's default.
func (e *Engine) hasNetwork(mode string) bool {
	return mode == "" || mode == "default" || slices.Contains(e.networks, mode)
}

func (e *Engine) networkList(c *Call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := []map[string]string{}
	for _, name := range e.networks {
		all = append(all, map[string]string{"Id": "id-" + name, "Name": name})
	}
	c.answer(http.StatusOK, all)
}

// networkInspect knows host and none on Docker only.
func (e *Engine) networkInspect(c *Call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !slices.Contains(e.networks, c.Target) || e.podman && (c.Target == "host" || c.Target == "none") {
		c.fail(http.StatusNotFound, "network %s not found", c.Target)
		return
	}
	c.answer(http.StatusOK, map[string]any{"Id": "id-" + c.Target, "Name": c.Target})
}
