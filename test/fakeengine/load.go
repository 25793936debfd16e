// SPDX-License-Identifier: Apache-2.0

package fakeengine

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
)

// ContainerdStore makes the engine keep its images as Docker 29 does by default: it loads OCI layouts whose layers it has as
// blobs, and exports them.
func ContainerdStore() Option {
	return func(e *Engine) { e.api, e.oldest, e.containerd = "1.55", "1.40", true }
}

// configuration is the part of an image's configuration that this engine honours.
type configuration struct {
	Architecture string `json:"architecture"`
	Config       struct {
		User, WorkingDir     string
		Env, Entrypoint, Cmd []string
		Volumes              map[string]struct{}
		Labels               map[string]string
	} `json:"config"`
	RootFS struct {
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
}

// descriptor describes a blob.
type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// manifest describes an image to containerd's store.
type manifest struct {
	Config descriptor   `json:"config"`
	Layers []descriptor `json:"layers"`
}

// load takes an image from an archive that need not hold the layers that the engine has. Like an engine, it answers before
// it knows whether that succeeds.
func (e *Engine) load(c *Call) {
	files, err := readFiles(c.r.Body)
	if err != nil {
		c.fail(http.StatusInternalServerError, "%v", err)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	c.beginStream()
	var image *Image
	switch {
	case e.podman:
		err = fmt.Errorf("payload does not match any of the supported image formats")
	case e.containerd:
		image, err = e.imageFromLayout(files)
	default:
		image, err = e.imageFromSave(files)
	}
	message := map[string]any{"stream": "Loaded image\n"}
	if err != nil {
		message = map[string]any{"error": err.Error(), "errorDetail": map[string]string{"message": err.Error()}}
	} else {
		e.addImage(image)
	}
	json.NewEncoder(c.w).Encode(message)
}

// imageFromSave returns the image in an archive of the form of docker save.
func (e *Engine) imageFromSave(files map[string][]byte) (*Image, error) {
	var all []struct {
		Config           string
		RepoTags, Layers []string
	}
	if err := json.Unmarshal(files["manifest.json"], &all); err != nil {
		return nil, fmt.Errorf("invalid manifest.json: %w", err)
	}
	one := all[0]
	image, err := e.newImage(files[one.Config], func(n int) []byte { return files[one.Layers[n]] })
	if err != nil {
		return nil, err
	}
	image.Name, image.ID = one.RepoTags[0], "sha256:"+digestOf(files[one.Config])
	return image, nil
}

// imageFromLayout returns the image in an OCI layout.
func (e *Engine) imageFromLayout(files map[string][]byte) (*Image, error) {
	var index struct{ Manifests []descriptor }
	if err := json.Unmarshal(files["index.json"], &index); err != nil {
		return nil, fmt.Errorf("invalid index.json: %w", err)
	}
	blob := func(d descriptor) []byte { return files["blobs/sha256/"+strings.TrimPrefix(d.Digest, "sha256:")] }
	var m manifest
	if err := json.Unmarshal(blob(index.Manifests[0]), &m); err != nil {
		return nil, fmt.Errorf("invalid manifest: %w", err)
	}
	known := e.blobs()
	for _, layer := range m.Layers {
		if _, here := files["blobs/sha256/"+strings.TrimPrefix(layer.Digest, "sha256:")]; !here && !known[layer.Digest] {
			return nil, fmt.Errorf("content digest %s: not found", layer.Digest)
		}
	}
	image, err := e.newImage(blob(m.Config), func(n int) []byte { return blob(m.Layers[n]) })
	if err != nil {
		return nil, err
	}
	image.Name, image.ID, image.blobs = index.Manifests[0].Annotations["io.containerd.image.name"], index.Manifests[0].Digest, m.Layers
	image.described = [][]byte{blob(m.Config), blob(index.Manifests[0])}
	return image, nil
}

// newImage returns the image of a configuration, whose layers but the last must be those of an image of the engine.
func (e *Engine) newImage(text []byte, layer func(n int) []byte) (*Image, error) {
	var config configuration
	if err := json.Unmarshal(text, &config); err != nil {
		return nil, fmt.Errorf("invalid configuration: %w", err)
	}
	layers := config.RootFS.DiffIDs
	files := e.filesOf(layers)
	if files == nil && len(layers) > 0 {
		last := len(layers) - 1
		base := e.filesOf(layers[:last])
		if base == nil {
			return nil, fmt.Errorf("layer %s not found", layers[0])
		}
		if "sha256:"+digestOf(layer(last)) != layers[last] {
			return nil, fmt.Errorf("wrong diff id calculated on extraction")
		}
		files = base.clone()
		if err := files.applyLayer(layer(last)); err != nil {
			return nil, err
		}
	}
	return &Image{
		Layers: layers, Architecture: config.Architecture, User: config.Config.User, Env: config.Config.Env,
		Entrypoint: config.Config.Entrypoint, Command: config.Config.Cmd, WorkingDir: config.Config.WorkingDir,
		Volumes: slices.Sorted(maps.Keys(config.Config.Volumes)), Labels: config.Config.Labels, Files: files,
	}, nil
}

// filesOf returns the files of the image that consists of these layers, or nil if the engine has none.
func (e *Engine) filesOf(layers []string) *Files {
	for _, image := range e.images {
		if slices.Equal(image.Layers, layers) {
			return image.Files.clone()
		}
	}
	return nil
}

// applyLayer unpacks a layer. A directory above its files that has no entry in it gets a mode that nobody wants, as on
// Docker.
func (f *Files) applyLayer(layer []byte) error {
	entries, err := readFiles(bytes.NewReader(layer))
	if err != nil {
		return err
	}
	if err := f.unpack("/", bytes.NewReader(layer)); err != nil {
		return err
	}
	for name := range entries {
		for dir := path.Dir(path.Clean(name)); dir != "."; dir = path.Dir(dir) {
			if _, ok := entries[dir+"/"]; !ok {
				f.Add("/"+dir, tar.Header{Typeflag: tar.TypeDir, Mode: 0o600}, "")
			}
		}
	}
	return nil
}

// blobsOf returns the layers of an image as containerd's store has them: those that were pulled are compressed.
func (i *Image) blobsOf() []descriptor {
	if i.blobs != nil {
		return i.blobs
	}
	var blobs []descriptor
	for _, layer := range i.Layers {
		blobs = append(blobs, descriptor{MediaType: "application/vnd.oci.image.layer.v1.tar+gzip", Digest: "sha256:" + digestOf([]byte("packed "+layer)), Size: 7})
	}
	return blobs
}

func (e *Engine) blobs() map[string]bool {
	known := map[string]bool{}
	for _, image := range e.images {
		for _, blob := range image.blobsOf() {
			known[blob.Digest] = !e.lost[blob.Digest]
		}
	}
	return known
}

// LoseBlobs removes the layers of an image from containerd's store, where they stay unpacked.
func (e *Engine) LoseBlobs(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, blob := range e.findImage(e.images, normalise(name)).blobsOf() {
		e.lost[blob.Digest] = true
	}
}

// export sends an image: an OCI layout with containerd's store, otherwise its layers and no blobs.
func (e *Engine) export(c *Call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	image := e.findImage(e.images, c.Target)
	if image == nil {
		c.fail(http.StatusNotFound, "No such image: %s", c.Target)
		return
	}
	c.w.Header().Set("Content-Type", "application/x-tar")
	w := tar.NewWriter(c.w)
	add := func(name string, content []byte) {
		w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(content))})
		w.Write(content)
	}
	if e.containerd {
		blobs := image.descriptions()
		isLost := func(d descriptor) bool { return e.lost[d.Digest] }
		if slices.ContainsFunc(image.blobsOf(), isLost) { // Docker leaves out the configuration then
			blobs = blobs[1:]
		}
		for _, blob := range blobs {
			add("blobs/sha256/"+digestOf(blob), blob)
		}
		add("index.json", []byte("{}"))
	} else {
		add("0123.tar", nil)
	}
	w.Close()
}

// readFiles reads an archive whole.
func readFiles(archive io.Reader) (map[string][]byte, error) {
	files := map[string][]byte{}
	for reader := tar.NewReader(archive); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			io.Copy(io.Discard, archive)
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if files[header.Name], err = io.ReadAll(reader); err != nil {
			return nil, err
		}
	}
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
