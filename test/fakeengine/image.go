package fakeengine

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Image is an image of the engine, or of its registry.
type Image struct {
	Name         string
	Layers       []string
	Architecture string // amd64 if not set
	User         string
	Env          []string
	Entrypoint   []string
	Command      []string
	WorkingDir   string
	Volumes      []string
	Labels       map[string]string
	Files        *Files
}

func (i *Image) id() string {
	sum := sha256.Sum256(fmt.Append(nil, i.Name, i.Layers, i.Labels, i.Env, i.User))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// AddImage adds an image to the engine, in place of one with the same name.
func (e *Engine) AddImage(image Image) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.addImage(&image)
}

func (e *Engine) addImage(image *Image) {
	image.Name = normalise(image.Name)
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
		names = append(names, image.Name)
	}
	slices.Sort(names)
	return names
}

func (e *Engine) findImage(images []*Image, name string) *Image {
	for _, image := range images {
		if image.Name == normalise(name) || image.id() == name {
			return image
		}
	}
	return nil
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
	name, ok := strings.CutSuffix(c.r.PathValue("name"), "/json")
	if !ok {
		c.fail(http.StatusNotFound, "page not found")
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	image := e.findImage(e.images, name)
	if image == nil {
		c.fail(http.StatusNotFound, "No such image: %s", name)
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
	c.answer(http.StatusOK, map[string]any{
		"Id": image.id(), "RepoTags": []string{image.Name}, "Os": "linux", "Architecture": architecture,
		"RootFS": map[string]any{"Type": "layers", "Layers": image.Layers},
		"Config": map[string]any{
			"User": image.User, "Env": image.Env, "Entrypoint": image.Entrypoint, "Cmd": image.Command,
			"WorkingDir": image.WorkingDir, "Volumes": volumes, "Labels": image.Labels,
		},
	})
}
