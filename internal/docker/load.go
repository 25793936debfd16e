// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"context"
	"fmt"
	"io"

	"github.com/docker/docker/client"
)

// Load loads an image from an archive. It reads the engine's answer to the end, because engines report a failure in the body
// of an answer with status 200.
func (e *Engine) Load(ctx context.Context, archive io.Reader) error {
	answer, err := e.api.ImageLoad(ctx, archive, client.ImageLoadWithQuiet(true))
	if err != nil {
		return fmt.Errorf("loading an image: %w", err)
	}
	defer answer.Body.Close()
	if err := readMessages(answer.Body, func(message) error { return nil }); err != nil {
		return fmt.Errorf("loading an image: %w", err)
	}
	return nil
}

// Export returns an archive of an image, with all of its layers. The caller closes it.
func (e *Engine) Export(ctx context.Context, image string) (io.ReadCloser, error) {
	archive, err := e.api.ImageSave(ctx, []string{image})
	if err != nil {
		return nil, fmt.Errorf("exporting image %q: %w", image, noImage(err))
	}
	return archive, nil
}
