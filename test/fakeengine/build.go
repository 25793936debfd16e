// SPDX-License-Identifier: Apache-2.0

package fakeengine

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
)

// Builder builds an image from a Dockerfile, and returns it, or nil if the build fails or the client disconnects. The
// engine gives the image the name that the client asked for.
type Builder func(*BuildRequest) *Image

// BuildRequest is a client's request to build an image, as a builder sees it.
type BuildRequest struct {
	Query   url.Values
	Context []byte          // tar archive
	Answer  io.Writer       // takes JSON messages, and flushes after each write
	Gone    <-chan struct{} // closed when the client disconnects
}

// SetBuilder sets the builder of images that are built from now on. The default builds an image from any context.
func (e *Engine) SetBuilder(builder Builder) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.builder = builder
}

func buildAnything(r *BuildRequest) *Image {
	io.WriteString(r.Answer, `{"stream":"built\n"}`)
	return &Image{Command: []string{"start"}}
}

// build answers with status 200 even if the build fails: the error is in the stream.
func (e *Engine) build(c *Call) {
	if arguments := c.Query.Get("buildargs"); arguments != "" && !json.Valid([]byte(arguments)) {
		c.fail(http.StatusBadRequest, "error reading build args: invalid character")
		return
	}
	archive, err := io.ReadAll(c.r.Body)
	if err != nil {
		c.fail(http.StatusInternalServerError, "Error processing tar file: %v", err)
		return
	}
	e.mu.Lock()
	builder := e.builder
	e.mu.Unlock()
	c.beginStream()
	built := builder(&BuildRequest{Query: c.Query, Context: archive, Answer: flushing{c.w}, Gone: c.r.Context().Done()})
	if built != nil {
		image := *built
		image.Name = c.Target
		e.AddImage(image)
	}
}
