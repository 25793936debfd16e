// SPDX-License-Identifier: Apache-2.0

package fakeengine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

// Image is an image of the engine, or of its registry.
type Image struct {
	Name         string
	ID           string // if not set, a digest of the rest
	Layers       []string
	Architecture string // amd64 if not set
	User         string
	Env          []string
	Entrypoint   []string
	Command      []string
	WorkingDir   string
	Volumes      []string
	Labels       map[string]string
	OnBuild      []string
	Files        *Files
	Size         int64
	Created      time.Time // zero for an image that was loaded, whose archive says 1970
	Tagged       time.Time // as LastTagTime says: Docker's classic store does not note it at a load

	inStore   bool         // in containerd's store, where the ID is the digest of its manifest
	described [][]byte     // the configuration and the manifest of an image that was loaded there
	blobs     []descriptor // nil: those of an image that was pulled
}

// id depends on everything but the name, since an image may have several.
func (i *Image) id() string {
	if i.ID != "" {
		return i.ID
	}
	if i.inStore {
		return "sha256:" + digestOf(i.describe()[1])
	}
	return i.sum()
}

func (i *Image) sum() string {
	unnamed := *i
	unnamed.Name, unnamed.Files, unnamed.Tagged = "", nil, time.Time{}
	sum := sha256.Sum256(fmt.Append(nil, unnamed, layerDigest(NewFiles(nil), i.Files.clone())))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// AddImage adds an image to the engine, in place of one with the same name.
func (e *Engine) AddImage(image Image) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.addImage(&image)
}

func (e *Engine) addImage(image *Image) {
	image.Name, image.inStore = normalise(image.Name), e.containerd
	e.images = slices.DeleteFunc(e.images, func(other *Image) bool { return other.Name == image.Name })
	e.images = append(e.images, image)
}

// RemoveImage removes an image, as an operator would.
func (e *Engine) RemoveImage(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.images = slices.DeleteFunc(e.images, func(image *Image) bool { return image.Name == normalise(name) })
}

// Image returns an image of the engine and whether it exists.
func (e *Engine) Image(name string) (Image, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if found := e.findImage(e.images, name); found != nil {
		return *found, true
	}
	return Image{}, false
}

// Images returns the names of all images, sorted.
func (e *Engine) Images() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var names []string
	for _, image := range e.images {
		if image.Name != "" {
			names = append(names, image.Name)
		}
	}
	slices.Sort(names)
	return names
}

// Unnamed returns the IDs of the images that have lost their names.
func (e *Engine) Unnamed() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var ids []string
	for _, image := range e.images {
		if image.Name == "" {
			ids = append(ids, image.id())
		}
	}
	return ids
}

// findImage finds an image by one of its names, or else by its ID or the beginning of that.
func (e *Engine) findImage(images []*Image, name string) *Image {
	for _, image := range images {
		if image.Name == normalise(name) {
			return image
		}
	}
	for _, image := range images {
		if name != "" && strings.HasPrefix(strings.TrimPrefix(image.id(), "sha256:"), strings.TrimPrefix(name, "sha256:")) {
			return image
		}
	}
	return nil
}

// findImage returns the image that a call is for, or answers 404 and returns nil. The caller holds the lock.
func (c *Call) findImage() *Image {
	name := c.r.PathValue("name")
	found := c.engine.findImage(c.engine.images, name)
	if found == nil {
		c.fail(http.StatusNotFound, "No such image: %s", name)
	}
	return found
}

// namesOf returns all names of an image. The caller holds the lock.
func (e *Engine) namesOf(image *Image) (tags, digests []string) {
	for _, other := range e.images {
		switch {
		case other.Name == "" || other.id() != image.id():
		case strings.Contains(other.Name, "@"):
			digests = append(digests, other.Name)
		default:
			tags = append(tags, other.Name)
		}
	}
	return tags, digests
}

func (e *Engine) countNames(image *Image) int {
	tags, digests := e.namesOf(image)
	return len(tags) + len(digests)
}

// normalise returns the short form of an image name: without Docker Hub's prefixes, and with a tag or digest.
func normalise(name string) string {
	name = strings.TrimPrefix(strings.TrimPrefix(name, "docker.io/"), "library/")
	if strings.Contains(name, "@") || strings.Contains(name[strings.LastIndex(name, "/")+1:], ":") {
		return name
	}
	return name + ":latest"
}

// reference joins a repository and a tag or digest.
func reference(repository, tag string) string {
	switch {
	case tag == "":
		return normalise(repository)
	case strings.Contains(tag, ":"):
		return normalise(repository + "@" + tag)
	}
	return normalise(repository + ":" + tag)
}

func (e *Engine) imageInspect(c *Call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	image := c.findImage()
	if image == nil {
		return
	}
	architecture := image.Architecture
	if architecture == "" {
		architecture = "amd64"
	}
	volumes := map[string]struct{}{}
	for _, volume := range image.Volumes {
		volumes[volume] = struct{}{}
	}
	tags, digests := e.namesOf(image)
	c.answer(http.StatusOK, map[string]any{
		"Id": image.id(), "RepoTags": tags, "RepoDigests": digests, "Os": "linux", "Architecture": architecture,
		"Metadata": map[string]any{"LastTagTime": image.Tagged.UTC()},
		"RootFS":   map[string]any{"Type": "layers", "Layers": image.Layers},
		"Config": map[string]any{
			"User": image.User, "Env": image.Env, "Entrypoint": image.Entrypoint, "Cmd": image.Command,
			"WorkingDir": image.WorkingDir, "Volumes": volumes, "Labels": image.Labels, "OnBuild": image.OnBuild,
		},
	})
}

// imageList lists images with their names. Docker 20.10 has <none>:<none> for an image without a name, newer versions nothing.
func (e *Engine) imageList(c *Call) {
	var filters struct{ Label, Reference map[string]bool }
	if text := c.Query.Get("filters"); text != "" {
		if err := json.Unmarshal([]byte(text), &filters); err != nil {
			c.fail(http.StatusBadRequest, "invalid filter: %v", err)
			return
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	all, listed := []map[string]any{}, map[string]bool{}
	for _, image := range e.images {
		if listed[image.id()] || !hasLabels(image.Labels, slices.Collect(maps.Keys(filters.Label))) || !hasReference(image, filters.Reference) {
			continue
		}
		listed[image.id()] = true
		tags, digests := e.namesOf(image)
		if len(tags) == 0 && minor(e.api) <= 42 {
			tags = []string{"<none>:<none>"}
			if len(digests) == 0 {
				digests = []string{"<none>@<none>"}
			}
		}
		all = append(all, map[string]any{
			"Id": image.id(), "RepoTags": tags, "RepoDigests": digests, "Labels": image.Labels, "Size": image.Size, "Created": max(0, image.Created.Unix()),
		})
	}
	c.answer(http.StatusOK, all)
}

// hasReference reports whether an image has a name that matches one of the patterns, or whether there are none.
func hasReference(image *Image, patterns map[string]bool) bool {
	for pattern := range patterns {
		repository, _, _ := strings.Cut(image.Name, ":")
		if ok, _ := path.Match(pattern, repository); ok {
			return true
		}
	}
	return len(patterns) == 0
}

// tag gives an image another name, which another image loses. That image stays, even if it has no other name.
func (e *Engine) tag(c *Call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	found := c.findImage()
	if found == nil {
		return
	}
	image := *found
	image.Name, image.Tagged = reference(c.Query.Get("repo"), c.Query.Get("tag")), e.nowLocked()
	if other := e.findImage(e.images, image.Name); other != nil && other.id() != image.id() && e.countNames(other) == 1 {
		other.Name = ""
	}
	e.addImage(&image)
	c.w.WriteHeader(http.StatusCreated)
}

// untag removes a name of an image. If it is the last one, this removes the image, unless a container uses it.
func (e *Engine) untag(c *Call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	found := c.findImage()
	if found == nil {
		return
	}
	answer := []map[string]string{{"Untagged": found.Name}}
	if e.countNames(found) <= 1 {
		if user := e.userOf(found); user != nil {
			c.fail(http.StatusConflict, "conflict: unable to remove repository reference %q (must force) - container %s is using its referenced image %s",
				found.Name, user.id, found.id())
			return
		}
		answer = append(answer, map[string]string{"Deleted": found.id()})
	}
	e.images = slices.DeleteFunc(e.images, func(image *Image) bool { return image == found })
	c.answer(http.StatusOK, answer)
}

// userOf returns a container that uses an image, or nil.
func (e *Engine) userOf(image *Image) *container {
	for _, c := range e.containers {
		if c.image.id() == image.id() {
			return c
		}
	}
	return nil
}
