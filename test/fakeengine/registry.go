// SPDX-License-Identifier: Apache-2.0

package fakeengine

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// Publish adds an image to the registry that the engine pulls from.
func (e *Engine) Publish(image Image) {
	e.mu.Lock()
	defer e.mu.Unlock()
	image.Name = normalise(image.Name)
	e.registry = append(e.registry, &image)
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

// distribution looks for an image in the registry, without pulling it. Podman before 6 cannot.
func (e *Engine) distribution(c *Call) {
	e.mu.Lock()
	defer e.mu.Unlock()
	image := e.findImage(e.registry, c.Target)
	switch {
	case e.podman:
		c.fail(http.StatusNotFound, "Not Found")
	case strings.ToLower(c.Target) != c.Target:
		c.fail(http.StatusBadRequest, "invalid reference format: repository name must be lowercase")
	case image == nil:
		c.fail(http.StatusNotFound, "manifest unknown")
	default:
		c.answer(http.StatusOK, map[string]any{
			"Descriptor": map[string]any{"mediaType": "application/vnd.oci.image.manifest.v1+json", "size": 1, "digest": image.id()},
			"Platforms":  []map[string]string{{"os": "linux", "architecture": cmp.Or(image.Architecture, "amd64")}},
		})
	}
}

func (e *Engine) progress(c *Call, messages ...any) {
	c.beginStream()
	for _, message := range messages {
		json.NewEncoder(c.w).Encode(message)
	}
}

// Credentials returns the credentials that a client sent with a call, or nil if it sent none.
func (c Call) Credentials(t testing.TB) map[string]string {
	t.Helper()
	if c.RegistryAuth == "" {
		return nil
	}
	var sent map[string]string
	text, err := base64.URLEncoding.DecodeString(c.RegistryAuth)
	if err == nil {
		err = json.Unmarshal(text, &sent)
	}
	if err != nil {
		t.Fatalf("decoding X-Registry-Auth %q: %v", c.RegistryAuth, err)
	}
	return sent
}
