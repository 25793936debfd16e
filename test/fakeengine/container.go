package fakeengine

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// container is a container's record. All of it is guarded by the engine's lock, but for its files.
type container struct {
	id, name string
	config   config
	image    *Image
	files    *Files

	status                     string // created, running, exited
	created, started, finished time.Time
	exitCode                   int
	oomKilled                  bool
	failure                    string
	removed                    bool

	process *Process
	input   []byte // what has come for its standard input and was not read
	closed  bool   // no more will come
	exits   int    // how often it has ended
	log     []chunk
	changed chan struct{} // closed and replaced with every change
}

// config is what a create asks for.
type config struct {
	Image      string
	Entrypoint []string
	Cmd        []string
	Env        []string
	WorkingDir string
	Labels     map[string]string
	Volumes    map[string]struct{} // without names
	OpenStdin  bool
	StdinOnce  bool
	HostConfig struct {
		ReadonlyRootfs bool
		NetworkMode    string
		Binds          []string
	}
}

// change wakes all who wait for the container.
func (c *container) change() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// find looks a container up by name, id, or the beginning of an id.
func (e *Engine) find(id string) *container {
	name := strings.TrimPrefix(id, "/")
	for _, c := range e.containers {
		if c.name == name || c.id == id || len(id) >= 12 && strings.HasPrefix(c.id, id) {
			return c
		}
	}
	return nil
}

// locate finds the container of a call, or answers 404. The caller holds the lock.
func (c *Call) locate() *container {
	id := c.r.PathValue("name")
	if c.Route == Commit {
		id = c.Query.Get("container")
	}
	found := c.engine.find(id)
	if found == nil {
		c.fail(http.StatusNotFound, "No such container: %s", id)
	}
	return found
}

var names = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)

func (e *Engine) create(c *Call) {
	var asked config
	if err := json.Unmarshal(c.Body, &asked); err != nil {
		c.fail(http.StatusBadRequest, "invalid JSON: %v", err)
		return
	}
	name := c.Query.Get("name")
	e.mu.Lock()
	defer e.mu.Unlock()
	image := e.findImage(e.images, asked.Image)
	switch {
	case name != "" && !c.free(name):
		return
	case image == nil:
		c.fail(http.StatusNotFound, "No such image: %s", asked.Image)
		return
	case e.podman && !e.hasNetwork(asked.HostConfig.NetworkMode):
		c.fail(http.StatusInternalServerError, "unable to find network with name or ID %s: network not found", asked.HostConfig.NetworkMode)
		return
	case len(asked.Cmd)+len(asked.Entrypoint)+len(image.Command)+len(image.Entrypoint) == 0:
		c.fail(http.StatusBadRequest, "No command specified")
		return
	}
	e.serial++
	id := sha256.Sum256([]byte(strconv.Itoa(e.serial)))
	if name == "" {
		name = fmt.Sprintf("unnamed_%d", e.serial)
	}
	created := &container{
		id: hex.EncodeToString(id[:]), name: name, config: asked, image: image, files: image.Files.clone(),
		status: "created", created: e.nowLocked(), changed: make(chan struct{}), closed: !asked.OpenStdin,
	}
	for mount := range asked.Volumes {
		created.files.Add(mount, tar.Header{Typeflag: tar.TypeDir, Mode: 0o755}, "")
	}
	e.containers = append(e.containers, created)
	c.answer(http.StatusCreated, map[string]any{"Id": created.id, "Warnings": []string{}})
}

// free says whether a container can have that name, or answers why not. The caller holds the lock.
func (c *Call) free(name string) bool {
	e := c.engine
	holder := e.find(name)
	switch {
	case !names.MatchString(name):
		c.fail(http.StatusBadRequest, "Invalid container name (%s), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed", name)
	case holder == nil:
		return true
	case e.podman:
		c.fail(e.conflict(), "creating container storage: the container name %q is already in use by %s. You have to remove that container to be able to reuse that name: that name is already in use", name, holder.id)
	default:
		c.fail(e.conflict(), "Conflict. The container name %q is already in use by container %q. You have to remove (or rename) that container to be able to reuse that name.", "/"+name, holder.id)
	}
	return false
}

func (e *Engine) rename(c *Call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	found := c.locate()
	if name := c.Query.Get("name"); found != nil && c.free(name) {
		found.name = name
		c.w.WriteHeader(http.StatusNoContent)
	}
}

func (e *Engine) start(c *Call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	found := c.locate()
	switch {
	case found == nil:
	case found.status == "running":
		c.w.WriteHeader(http.StatusNotModified)
	case !e.hasNetwork(found.config.HostConfig.NetworkMode):
		c.fail(http.StatusNotFound, "network %s not found", found.config.HostConfig.NetworkMode)
	default:
		e.run(found)
		c.w.WriteHeader(http.StatusNoContent)
	}
}

func (e *Engine) stop(c *Call) {
	e.mu.Lock()
	found := c.locate()
	if found == nil {
		e.mu.Unlock()
		return
	}
	if found.status != "running" {
		e.mu.Unlock()
		c.w.WriteHeader(http.StatusNotModified)
		return
	}
	exits := found.exits
	found.process.terminate()
	e.mu.Unlock()

	seconds := 10
	if text := c.Query.Get("t"); text != "" {
		seconds, _ = strconv.Atoi(text)
	}
	grace := time.NewTimer(time.Duration(seconds) * time.Second)
	defer grace.Stop()
	e.until(found, grace.C, c.r.Context().Done(), func() bool { return found.exits > exits })
	e.mu.Lock()
	defer e.mu.Unlock()
	if found.exits == exits {
		e.killLocked(found)
	}
	c.w.WriteHeader(http.StatusNoContent)
}

// until waits for a condition of a container, a limit or a client that has gone. The condition is asked for under
// the lock.
func (e *Engine) until(c *container, limit <-chan time.Time, gone <-chan struct{}, met func() bool) bool {
	for {
		e.mu.Lock()
		done, changed := met(), c.changed
		e.mu.Unlock()
		if done {
			return true
		}
		select {
		case <-changed:
		case <-limit:
			return false
		case <-gone:
			return false
		case <-e.closed.Done():
			return false
		}
	}
}

func (e *Engine) kill(c *Call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	found := c.locate()
	switch {
	case found == nil:
	case found.status != "running":
		c.fail(e.conflict(), "Cannot kill container: %s: Container %s is not running", found.name, found.id)
	default:
		if signal := strings.TrimPrefix(c.Query.Get("signal"), "SIG"); signal == "TERM" {
			found.process.terminate()
		} else {
			e.killLocked(found)
		}
		c.w.WriteHeader(http.StatusNoContent)
	}
}

func (e *Engine) remove(c *Call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	found := c.locate()
	switch {
	case found == nil:
	case found.status == "running" && c.Query.Get("force") != "1":
		c.fail(e.conflict(), "cannot remove container %q: container is running: stop the container before removing or force remove", "/"+found.name)
	default:
		e.removeLocked(found)
		c.w.WriteHeader(http.StatusNoContent)
	}
}

// conflict is the status of a call that a container's state forbids.
func (e *Engine) conflict() int {
	if e.podman {
		return http.StatusInternalServerError
	}
	return http.StatusConflict
}

func (e *Engine) removeLocked(c *container) {
	e.killLocked(c)
	c.removed = true
	c.change()
	e.containers = slices.DeleteFunc(e.containers, func(other *container) bool { return other == c })
}

// RemoveContainer removes a container as an operator does it.
func (e *Engine) RemoveContainer(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if found := e.find(name); found != nil {
		e.removeLocked(found)
	}
}

// Prune removes all containers that do not run, those that were not started yet included.
func (e *Engine) Prune() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range slices.Clone(e.containers) {
		if c.status != "running" {
			e.removeLocked(c)
		}
	}
}

// Age makes a container older: all its times lie that much further back.
func (e *Engine) Age(name string, by time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.find(name)
	for _, moment := range []*time.Time{&c.created, &c.started, &c.finished} {
		if !moment.IsZero() {
			*moment = moment.Add(-by)
		}
	}
}
