package fakeengine

import (
	"net/http"
	"slices"
)

// AddNetwork creates a network.
func (e *Engine) AddNetwork(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.networks = append(e.networks, name)
}

// hasNetwork reports whether a container can use this network mode. An empty mode is the engine's default.
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

// networkInspect describes a network. Podman does not know host and none.
func (e *Engine) networkInspect(c *Call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !slices.Contains(e.networks, c.Target) || e.podman && (c.Target == "host" || c.Target == "none") {
		c.fail(http.StatusNotFound, "network %s not found", c.Target)
		return
	}
	c.answer(http.StatusOK, map[string]any{"Id": "id-" + c.Target, "Name": c.Target})
}
