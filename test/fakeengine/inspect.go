// SPDX-License-Identifier: Apache-2.0

package fakeengine

import (
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Container describes a container to a test.
type Container struct {
	ID, Name   string
	Image      string
	Entrypoint []string
	Command    []string
	Env        []string
	Labels     map[string]string
	Network    string
	Networks   []string // that it was connected to after its creation
	Status     string   // created, running, stopped (podman), exited, removing
	ExitCode   int
	Files      *Files
}

func (c *container) view() Container {
	return Container{
		ID: c.id, Name: c.name, Image: c.config.Image, Entrypoint: c.config.Entrypoint, Command: c.config.Cmd,
		Env: c.config.Env, Labels: maps.Clone(c.config.Labels), Network: c.config.HostConfig.NetworkMode,
		Networks: slices.Clone(c.networks), Status: c.status, ExitCode: c.exitCode, Files: c.files,
	}
}

// Containers returns all containers that exist, in the order of their creation.
func (e *Engine) Containers() []Container {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []Container
	for _, c := range e.containers {
		all = append(all, c.view())
	}
	return all
}

// Container returns a container and whether it exists.
func (e *Engine) Container(name string) (Container, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c := e.find(name); c != nil {
		return c.view(), true
	}
	return Container{}, false
}

func (e *Engine) inspect(c *Call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	found := c.findContainer()
	if found == nil {
		return
	}
	c.answer(http.StatusOK, map[string]any{
		"Id": found.id, "Name": "/" + found.name, "Created": stamp(found.created), "Image": found.image.id(),
		"State": map[string]any{
			"Status": found.status, "Running": found.status == "running", "ExitCode": found.exitCode,
			"OOMKilled": found.oomKilled && !e.podman, "Error": found.failure,
			"StartedAt": stamp(found.started), "FinishedAt": stamp(found.finished),
		},
		"Config": map[string]any{
			"Image": found.config.Image, "Cmd": found.config.Cmd, "Env": found.config.Env, "Labels": found.config.Labels,
		},
		"HostConfig":      map[string]any{"NetworkMode": found.config.HostConfig.NetworkMode},
		"NetworkSettings": map[string]any{"Networks": found.endpoints(), "Ports": found.published()},
	})
}

// endpoints returns what inspect says of a container's networks.
func (c *container) endpoints() map[string]any {
	all := map[string]any{}
	for _, name := range append([]string{c.config.HostConfig.NetworkMode}, c.networks...) {
		if name != "" {
			all[name] = map[string]any{}
		}
	}
	return all
}

// stamp formats a time as engines do. The zero time means "not yet".
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func (e *Engine) list(c *Call) {
	var filters struct{ Label, Name, ID map[string]bool }
	if text := c.Query.Get("filters"); text != "" {
		if err := json.Unmarshal([]byte(text), &filters); err != nil {
			c.fail(http.StatusBadRequest, "invalid filter: %v", err)
			return
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	all := []map[string]any{}
	for _, found := range e.containers {
		if found.status != "running" && c.Query.Get("all") != "1" || !found.hasLabels(slices.Collect(maps.Keys(filters.Label))) ||
			!found.isCalled(filters.Name) || !found.hasID(filters.ID) {
			continue
		}
		all = append(all, map[string]any{
			"Id": found.id, "Names": []string{"/" + found.name}, "Image": found.config.Image, "ImageID": found.image.id(), "Mounts": found.mounts(),
			"NetworkSettings": map[string]any{"Networks": map[string]any{found.config.HostConfig.NetworkMode: map[string]any{}}},
			"Labels":          found.config.Labels, "State": found.status, "Created": found.created.Unix(),
		})
	}
	c.answer(http.StatusOK, all)
}

// mounts returns the named volumes of a container.
func (c *container) mounts() []map[string]string {
	mounts := []map[string]string{}
	for _, bind := range c.config.HostConfig.Binds {
		if volume, target, ok := strings.Cut(bind, ":"); ok {
			mounts = append(mounts, map[string]string{"Type": "volume", "Name": volume, "Destination": target})
		}
	}
	return mounts
}

// stats answers what a container uses, always the same, with two samples that are a second apart.
func (e *Engine) stats(c *Call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c.findContainer() == nil {
		return
	}
	now := e.nowLocked()
	c.answer(http.StatusOK, map[string]any{
		"read": now, "preread": now.Add(-time.Second),
		"cpu_stats":    map[string]any{"cpu_usage": map[string]any{"total_usage": 750e6}},
		"precpu_stats": map[string]any{"cpu_usage": map[string]any{"total_usage": 500e6}},
		"memory_stats": map[string]any{"usage": 30e6, "stats": map[string]any{"total_inactive_file": 10e6}},
	})
}

// isCalled reports whether a container's name matches one of the patterns, if there are any.
func (c *container) isCalled(patterns map[string]bool) bool {
	for pattern := range patterns {
		if matched, _ := regexp.MatchString(pattern, c.name); matched {
			return true
		}
	}
	return len(patterns) == 0
}

// hasID reports whether a container's ID begins with one of the texts, if there are any.
func (c *container) hasID(beginnings map[string]bool) bool {
	for beginning := range beginnings {
		if strings.HasPrefix(c.id, beginning) {
			return true
		}
	}
	return len(beginnings) == 0
}

func (c *container) hasLabels(wanted []string) bool { return hasLabels(c.config.Labels, wanted) }

func hasLabels(labels map[string]string, wanted []string) bool {
	for _, text := range wanted {
		key, value, valued := strings.Cut(text, "=")
		if got, ok := labels[key]; !ok || valued && got != value {
			return false
		}
	}
	return true
}
