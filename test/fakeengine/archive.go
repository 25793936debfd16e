// SPDX-License-Identifier: Apache-2.0

package fakeengine

import (
	"archive/tar"
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"path"
)

func (e *Engine) upload(c *Call) {
	e.mu.Lock()
	found := c.findUsable()
	e.mu.Unlock()
	if found == nil {
		return
	}
	dir := path.Clean(c.Query.Get("path"))
	if _, ok := found.files.Get(dir); !ok && dir != "/" && !e.podman {
		c.fail(http.StatusNotFound, "Could not find the file %s in container %s", dir, found.id)
		return
	}
	if _, volume := found.config.Volumes[dir]; found.config.HostConfig.ReadonlyRootfs && !volume && !e.podman {
		c.fail(http.StatusBadRequest, "container rootfs is marked read-only")
		return
	}
	body := bufio.NewReader(c.r.Body)
	if start, _ := body.Peek(2); bytes.Equal(start, []byte{0x1f, 0x8b}) {
		c.fail(http.StatusUnsupportedMediaType, "a compressed archive: engines before 29.5.1 unpack it with a program that they may find in the container")
		return
	}
	if err := found.files.unpack(dir, body); err != nil {
		c.fail(http.StatusInternalServerError, "Error processing tar file: %v", err)
		return
	}
	c.w.WriteHeader(http.StatusOK)
}

// stat describes a file in a header. A 404 has no text, since it answers a HEAD request.
func (e *Engine) stat(c *Call) {
	e.mu.Lock()
	found := c.findUsable()
	e.mu.Unlock()
	if found == nil {
		return
	}
	name := path.Clean(c.Query.Get("path"))
	file, ok := found.files.Get(name)
	if !ok {
		c.w.WriteHeader(http.StatusNotFound)
		return
	}
	c.setStatHeader(name, file)
}

// setStatHeader sets the header that describes a file.
func (c *Call) setStatHeader(name string, file File) {
	about := map[string]any{"name": path.Base(name), "size": len(file.Content), "mode": file.Header.FileInfo().Mode()}
	if file.Header.Typeflag == tar.TypeSymlink {
		about["linkTarget"] = path.Join(path.Dir(name), file.Header.Linkname)
		if path.IsAbs(file.Header.Linkname) {
			about["linkTarget"] = file.Header.Linkname
		}
	}
	stat, _ := json.Marshal(about)
	c.w.Header().Set("X-Docker-Container-Path-Stat", base64.StdEncoding.EncodeToString(stat))
}

func (e *Engine) download(c *Call) {
	e.mu.Lock()
	found := c.findUsable()
	e.mu.Unlock()
	if found == nil {
		return
	}
	root := path.Clean(c.Query.Get("path"))
	file, ok := found.files.Get(root)
	e.mu.Lock()
	unmounting := found.status == "stopped"
	e.mu.Unlock()
	if !ok || unmounting {
		c.fail(http.StatusNotFound, "Could not find the file %s in container %s", root, found.id)
		return
	}
	c.setStatHeader(root, file)
	c.w.Header().Set("Content-Type", "application/x-tar")
	c.w.WriteHeader(http.StatusOK)
	if err := found.files.Pack(c.w, root); err != nil {
		panic(http.ErrAbortHandler)
	}
}
