package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
)

// Image is what decides how an image behaves. It leaves out the image's id, which differs between image stores for
// the same content.
type Image struct {
	Platform   string   // os/architecture[/variant]
	Layers     []string // digests of the unpacked layers, lowest first
	User       string   // as the image says it: empty, name, or id, each perhaps with :group
	Env        []string
	Entrypoint []string
	Command    []string
	WorkingDir string
	Volumes    []string // paths that every container of the image mounts a volume on
	Labels     map[string]string
}

// Image inspects a local image.
func (e *Engine) Image(ctx context.Context, ref string) (Image, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := e.api.ImageInspect(ctx, ref)
	if err != nil {
		return Image{}, fmt.Errorf("inspecting image %q: %w", ref, err)
	}
	result := Image{Platform: path.Join(found.Os, found.Architecture, found.Variant), Layers: found.RootFS.Layers}
	if config := found.Config; config != nil {
		result.User, result.Env, result.WorkingDir, result.Labels = config.User, config.Env, config.WorkingDir, config.Labels
		result.Entrypoint, result.Command = config.Entrypoint, config.Cmd
		for volume := range config.Volumes {
			result.Volumes = append(result.Volumes, volume)
		}
	}
	return result, nil
}

// Pull fetches an image and reads the answer to its end: engines report a failure in the stream of a call that has
// begun well. Progress is called with one line for each step, without the progress bars.
func (e *Engine) Pull(ctx context.Context, ref string, progress func(line string)) error {
	stream, err := e.api.ImagePull(ctx, ref, image.PullOptions{})
	if err != nil {
		return fmt.Errorf("pulling image %q: %w", ref, err)
	}
	defer stream.Close()
	if err := readProgress(stream, progress); err != nil {
		return fmt.Errorf("pulling image %q: %w", ref, err)
	}
	return nil
}

// message is one JSON message of a pull.
type message struct {
	Status      string `json:"status"`
	ID          string `json:"id"`
	Progress    any    `json:"progressDetail"`
	Error       string `json:"error"`
	ErrorDetail struct {
		Message string `json:"message"`
	} `json:"errorDetail"`
}

func readProgress(stream io.Reader, progress func(line string)) error {
	for decoder := json.NewDecoder(stream); ; {
		var m message
		switch err := decoder.Decode(&m); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("reading the engine's answer: %w", err)
		case m.ErrorDetail.Message != "":
			return errors.New(m.ErrorDetail.Message)
		case m.Error != "":
			return errors.New(m.Error)
		}
		if bar, ok := m.Progress.(map[string]any); m.Status == "" || ok && len(bar) > 0 {
			continue
		}
		if m.ID != "" {
			m.Status = m.ID + ": " + m.Status
		}
		progress(m.Status)
	}
}

// IsUnreachable says whether the connection to the engine was lost or never there.
func IsUnreachable(err error) bool {
	var u *Unreachable
	return errors.As(err, &u) || client.IsErrConnectionFailed(err)
}
