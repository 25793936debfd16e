package fakeengine

import (
	"encoding/json"
	"fmt"
	"net/http"
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

func (e *Engine) progress(c *Call, messages ...any) {
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(http.StatusOK)
	for _, message := range messages {
		json.NewEncoder(c.w).Encode(message)
	}
}
