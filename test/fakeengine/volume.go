// SPDX-License-Identifier: Apache-2.0

package fakeengine

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"time"
)

// Volume is a named volume. The fake engine does not keep its content.
type Volume struct {
	Name      string
	Labels    map[string]string
	CreatedAt time.Time
	Size      int64 `json:"-"`
}

// AddVolume adds a volume.
func (e *Engine) AddVolume(volume Volume) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.volumes[volume.Name] = volume
}

// volumeList lists the volumes, all or those with a label.
func (e *Engine) volumeList(c *Call) {
	var filters struct{ Label map[string]bool }
	if text := c.Query.Get("filters"); text != "" {
		if err := json.Unmarshal([]byte(text), &filters); err != nil {
			c.fail(http.StatusBadRequest, "invalid filter: %v", err)
			return
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	all := []Volume{}
	for _, volume := range e.volumes {
		if hasLabels(volume.Labels, slices.Collect(maps.Keys(filters.Label))) {
			all = append(all, volume)
		}
	}
	c.answer(http.StatusOK, map[string]any{"Volumes": all})
}

// volumeRemove removes a volume unless a container has it.
func (e *Engine) volumeRemove(c *Call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, ok := e.volumes[c.Target]; !ok {
		c.fail(http.StatusNotFound, "get %s: no such volume", c.Target)
		return
	}
	for _, user := range e.containers {
		for _, mount := range user.mounts() {
			if mount["Name"] == c.Target {
				c.fail(http.StatusConflict, "remove %s: volume is in use - [%s]", c.Target, user.id)
				return
			}
		}
	}
	delete(e.volumes, c.Target)
	c.w.WriteHeader(http.StatusNoContent)
}

// diskUsage answers the sizes of volumes, and a BuildKit cache of 5 MB.
func (e *Engine) diskUsage(c *Call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	volumes := []map[string]any{}
	for _, volume := range e.volumes {
		volumes = append(volumes, map[string]any{"Name": volume.Name, "UsageData": map[string]int64{"Size": volume.Size, "RefCount": 0}})
	}
	c.answer(http.StatusOK, map[string]any{"Volumes": volumes, "BuildCache": []map[string]any{{"Size": 5_000_000, "Shared": false}}})
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
	if !names.MatchString(asked.Name) {
		c.fail(http.StatusBadRequest, "create %s: volume name is too short, names should be at least two alphanumeric characters", asked.Name)
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
