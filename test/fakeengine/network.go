// SPDX-License-Identifier: Apache-2.0

package fakeengine

import (
	"encoding/json"
	"net/http"
	"slices"
)

// AddNetwork creates a network.
func (e *Engine) AddNetwork(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.networks = append(e.networks, name)
}

// Join connects a container to a network, as an operator would.
func (e *Engine) Join(name, network string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	found := e.find(name)
	found.networks = append(found.networks, network)
}

// hasNetwork reports whether a container can use this network mode. An empty mode is the engine's default.
func (e *Engine) hasNetwork(mode string) bool {
	return mode == "" || mode == "default" || slices.Contains(e.networks, mode)
}

// checkNetworks reports whether all networks of a container exist. If not, it answers 404. The caller holds the lock.
func (c *Call) checkNetworks(found *container) bool {
	for _, name := range append([]string{found.config.HostConfig.NetworkMode}, found.networks...) {
		if !c.engine.hasNetwork(name) {
			c.fail(http.StatusNotFound, "network %s not found", name)
			return false
		}
	}
	return true
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

// networkConnect connects a container to another network. Docker accepts any network for a container that is not
// running, and looks for it at the start.
func (e *Engine) networkConnect(c *Call) {
	var asked struct{ Container string }
	if err := json.Unmarshal(c.Body, &asked); err != nil {
		c.fail(http.StatusBadRequest, "invalid JSON: %v", err)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	found := e.find(asked.Container)
	switch {
	case found == nil:
		c.fail(http.StatusNotFound, "No such container: %s", asked.Container)
	case (e.podman || found.status == "running") && !slices.Contains(e.networks, c.Target):
		c.fail(http.StatusNotFound, "network %s not found", c.Target)
	default:
		found.networks = append(found.networks, c.Target)
		c.w.WriteHeader(http.StatusOK)
	}
}
