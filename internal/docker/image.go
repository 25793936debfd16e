package docker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"

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
	Volumes    []string // paths that every container of the image mounts a volume on, sorted
	StopSignal string   // empty: the engine's default
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
		result.Volumes = slices.Sorted(maps.Keys(config.Volumes))
		result.StopSignal = config.StopSignal
	}
	return result, nil
}

// IsUnreachable says whether the connection to the engine was lost or never there.
func IsUnreachable(err error) bool {
	var u *Unreachable
	return errors.As(err, &u) || client.IsErrConnectionFailed(err)
}
