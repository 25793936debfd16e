package fakeengine

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
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

// Publish adds an image to the registry that the engine pulls from.
func (e *Engine) Publish(image Image) {
	e.mu.Lock()
	defer e.mu.Unlock()
	image.Name = normalise(image.Name)
	e.registry = append(e.registry, &image)
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

// pull takes an image from the registry. If it is not there, Docker answers with an error status; podman has already
// begun its answer by then, and puts the error into the stream.
func (e *Engine) pull(c *Call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	image := e.findImage(e.registry, c.Target)
	reason := fmt.Sprintf("manifest for %s not found: manifest unknown", c.Target)
	switch {
	case image != nil:
		pulled := *image
		e.addImage(&pulled)
		e.progress(c,
			map[string]any{"status": "Pulling from " + c.Target},
			map[string]any{"status": "Downloading", "id": "layer", "progressDetail": map[string]int{"current": 1, "total": 2}},
			map[string]any{"status": "Pull complete", "id": "layer", "progressDetail": map[string]int{}})
	case e.podman:
		e.progress(c, map[string]any{"error": reason, "errorDetail": map[string]string{"message": reason}})
	default:
		c.fail(http.StatusInternalServerError, "%s", reason)
	}
}

func (e *Engine) progress(c *Call, messages ...any) {
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(http.StatusOK)
	for _, message := range messages {
		json.NewEncoder(c.w).Encode(message)
	}
}

func (e *Engine) commit(c *Call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	found := c.findContainer()
	if found == nil {
		return
	}
	if e.podman && len(c.Body) == 0 {
		c.fail(http.StatusInternalServerError, "Decode(): EOF")
		return
	}
	image := *found.image
	image.Name = reference(c.Query.Get("repo"), c.Query.Get("tag"))
	image.Labels, image.Env = maps.Clone(image.Labels), slices.Clone(image.Env)
	image.Files = found.files.clone()
	image.Layers = append(slices.Clone(image.Layers), layerDigest(found.image.Files.clone(), image.Files))
	if len(found.config.Cmd) > 0 {
		image.Command = found.config.Cmd
	}
	for _, text := range c.Query["changes"] {
		if err := image.apply(text); err != nil {
			c.fail(http.StatusBadRequest, "%v", err)
			return
		}
	}
	e.addImage(&image)
	c.answer(http.StatusCreated, map[string]string{"Id": image.id()})
}

// layerDigest returns a digest of the files that a container has added to its image, with their times: the same changes
// give the same layer.
func layerDigest(before, after *Files) string {
	hash := sha256.New()
	for _, name := range after.Names("/") {
		file, _ := after.Get(name)
		if old, ok := before.Get(name); ok && bytes.Equal(old.Content, file.Content) && old.Header.Mode == file.Header.Mode {
			continue
		}
		h := file.Header
		fmt.Fprintln(hash, name, h.Typeflag, h.Mode, h.Uid, h.Gid, h.Linkname, h.ModTime.UnixNano(), len(file.Content))
		hash.Write(file.Content)
	}
	return "sha256:" + hex.EncodeToString(hash.Sum(nil))
}

// apply carries out an instruction of a commit: LABEL "key"="value", ENV key=value, or USER name.
func (i *Image) apply(text string) error {
	instruction, rest, _ := strings.Cut(text, " ")
	switch instruction {
	case "LABEL":
		key, value, err := quotedPair(rest)
		if err != nil {
			return err
		}
		if i.Labels == nil {
			i.Labels = map[string]string{}
		}
		i.Labels[key] = value
	case "ENV":
		i.Env = append(i.Env, rest)
	case "USER":
		i.User = rest
	default:
		return fmt.Errorf("%s is not a valid change command", instruction)
	}
	return nil
}

func quotedPair(text string) (key, value string, err error) {
	quoted, err := strconv.QuotedPrefix(text)
	if err != nil {
		key, value, _ = strings.Cut(text, "=")
		return key, value, nil
	}
	rest, ok := strings.CutPrefix(text[len(quoted):], "=")
	if !ok {
		return "", "", fmt.Errorf("%s is not a pair", text)
	}
	if key, err = strconv.Unquote(quoted); err != nil {
		return "", "", err
	}
	value, err = strconv.Unquote(rest)
	return key, value, err
}
