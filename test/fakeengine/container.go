// SPDX-License-Identifier: Apache-2.0

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

// container is the state of a container. The engine's lock guards everything in it except the files.
type container struct {
	id, name string
	config   config
	image    *Image
	files    *Files
	networks []string // that it was connected to after its creation

	status                     string // created, running, stopped (podman), exited, removing
	created, started, finished time.Time
	exitCode                   int
	oomKilled                  bool
	failure                    string
	removed                    bool

	process *Process
	input   []byte        // standard input that the process has not read yet
	closed  bool          // whether standard input ends after that
	exits   int           // number of exits so far
	output  []chunk       // what the process has written, for attached clients
	log     []chunk       // the same in lines, see appendLog
	lost    int           // pieces that the log has lost
	changed chan struct{} // closed and replaced with every change

	unlogged  [2]unlogged // stdout and stderr
	rotations int         // of the log
}

// config is the body of a create request.
type config struct {
	Image      string
	Entrypoint []string
	Cmd        []string
	Env        []string
	WorkingDir string
	Labels     map[string]string
	Volumes    map[string]struct{} // anonymous volumes, by path
	OpenStdin  bool
	StdinOnce  bool
	HostConfig struct {
		ReadonlyRootfs bool
		NetworkMode    string
		Binds          []string
		Init           bool
		PortBindings   ports
	}
}

// notify wakes everything that waits for a change of the container.
func (c *container) notify() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// find looks up a container by name, ID, or the beginning of an ID.
func (e *Engine) find(id string) *container {
	name := strings.TrimPrefix(id, "/")
	for _, c := range e.containers {
		if c.name == name || c.id == id || len(id) >= 12 && strings.HasPrefix(c.id, id) {
			return c
		}
	}
	return nil
}

// findContainer returns the container that a call is for, or answers 404 and returns nil. The caller holds the lock.
func (c *Call) findContainer() *container {
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
	case name != "" && !c.checkName(name):
		return
	case image == nil:
		c.fail(http.StatusNotFound, "No such image: %s", asked.Image)
		return
	case e.podman && !e.hasNetwork(asked.HostConfig.NetworkMode):
		c.fail(http.StatusInternalServerError, "unable to find network with name or ID %s: network not found", asked.HostConfig.NetworkMode)
		return
	case e.podman && e.noInit && asked.HostConfig.Init:
		c.fail(http.StatusInternalServerError, "container-init binary not found on the host: stat /usr/libexec/podman/catatonit: no such file or directory")
		return
	case len(asked.Cmd)+len(asked.Entrypoint)+len(image.Command)+len(image.Entrypoint) == 0:
		c.fail(http.StatusBadRequest, "No command specified")
		return
	}
	created := e.addContainer(name, asked, image)
	c.answer(http.StatusCreated, map[string]any{"Id": created.id, "Warnings": []string{}})
}

// addContainer adds a container. The caller holds the lock.
func (e *Engine) addContainer(name string, asked config, image *Image) *container {
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
	return created
}

// checkName reports whether name is valid and free. If not, it answers with the error. The caller holds the lock.
func (c *Call) checkName(name string) bool {
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
	found := c.findUsable()
	if name := c.Query.Get("name"); found != nil && c.checkName(name) {
		found.name = name
		c.w.WriteHeader(http.StatusNoContent)
	}
}

func (e *Engine) start(c *Call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	found := c.findUsable()
	switch {
	case found == nil:
	case found.status == "running":
		c.w.WriteHeader(http.StatusNotModified)
	case !c.checkNetworks(found), !c.publish(found):
	case e.noInit && found.config.HostConfig.Init:
		c.fail(http.StatusBadRequest, `failed to create shim task: OCI runtime create failed: exec: "docker-init": executable file not found in $PATH`)
	default:
		e.run(found)
		c.w.WriteHeader(http.StatusNoContent)
	}
}

func (e *Engine) stop(c *Call) {
	e.mu.Lock()
	found := c.findContainer()
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
	e.waitFor(found, grace.C, c.r.Context().Done(), func() bool { return found.exits > exits })
	e.mu.Lock()
	defer e.mu.Unlock()
	if found.exits == exits {
		e.killLocked(found)
	}
	c.w.WriteHeader(http.StatusNoContent)
}

// waitFor waits until met, which it calls under the lock, returns true, and reports whether it did. It returns false
// when limit fires, when gone is closed because the client disconnected, or when the engine is closed.
func (e *Engine) waitFor(c *container, limit <-chan time.Time, gone <-chan struct{}, met func() bool) bool {
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
	found := c.findUsable()
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
	found := c.findUsable()
	switch {
	case found == nil:
	case found.status == "running" && c.Query.Get("force") != "1":
		c.fail(e.conflict(), "cannot remove container %q: container is running: stop the container before removing or force remove", "/"+found.name)
	default:
		e.removeLocked(found)
		c.w.WriteHeader(http.StatusNoContent)
	}
}

// BeginRemoval kills a container and leaves it as it is while an engine removes it, which takes long if it holds many files.
// RemoveContainer ends that.
func (e *Engine) BeginRemoval(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	found := e.find(name)
	e.killLocked(found)
	found.status, found.exitCode = "removing", 0
	found.notify()
}

// findUsable is like findContainer, but answers with an error if the container is being removed.
func (c *Call) findUsable() *container {
	found := c.findContainer()
	if found == nil || found.status != "removing" {
		return found
	}
	switch c.Route {
	case Upload, Download, Stat:
		c.fail(http.StatusNotFound, "Could not find the file %s in container %s", c.Query.Get("path"), found.id)
	case Rename:
		c.fail(http.StatusBadRequest, "container is marked for removal")
	case Remove:
		c.fail(c.engine.conflict(), "removal of container %s is already in progress", found.name)
	default:
		c.fail(c.engine.conflict(), "container %s is marked for removal", found.id)
	}
	return nil
}

// conflict returns the status of an answer to a call that a container's state does not allow.
func (e *Engine) conflict() int {
	if e.podman {
		return http.StatusInternalServerError
	}
	return http.StatusConflict
}

func (e *Engine) removeLocked(c *container) {
	e.killLocked(c)
	c.removed = true
	c.notify()
	e.containers = slices.DeleteFunc(e.containers, func(other *container) bool { return other == c })
}

// RemoveContainer removes a container, as an operator would.
func (e *Engine) RemoveContainer(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if found := e.find(name); found != nil {
		e.removeLocked(found)
	}
}

// Kill kills a container, as an operator would.
func (e *Engine) Kill(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if found := e.find(name); found != nil {
		e.killLocked(found)
	}
}

// AddContainer adds a container that is not started, as another client would create it.
func (e *Engine) AddContainer(name, image string, labels map[string]string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.addContainer(name, config{Image: image, Labels: labels}, e.findImage(e.images, image))
}

// Prune removes all containers that are not running, including those that were never started.
func (e *Engine) Prune() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range slices.Clone(e.containers) {
		if c.status != "running" {
			e.removeLocked(c)
		}
	}
}

// Age makes a container older by moving all its times back.
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
