// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
)

// Image holds the properties of an image that decide how its containers behave.
type Image struct {
	Name       string   // by which it was inspected
	ID         string   // differs between image stores for the same content
	Platform   string   // os/architecture[/variant]
	Layers     []string // digests of the uncompressed layers, lowest first
	User       string   // as the image declares it: empty, or a name or ID, optionally followed by :group
	Env        []string
	Entrypoint []string
	Command    []string
	WorkingDir string
	Volumes    []string // paths where every container of the image gets an anonymous volume, sorted
	StopSignal string   // empty: the engine's default
	Labels     map[string]string
	OnBuild    []string  // instructions that are added to a Dockerfile whose base the image is
	Tagged     time.Time // when the image got a name last; zero if the engine does not know, as for a loaded image on many
	Config     []byte    // JSON: all of the configuration, as the OCI and Docker image specifications define it
}

// Image inspects a local image.
func (e *Engine) Image(ctx context.Context, ref string) (Image, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := e.api.ImageInspect(ctx, ref)
	if err != nil {
		return Image{}, fmt.Errorf("inspecting image %q: %w", ref, noImage(err))
	}
	result := Image{Name: ref, ID: found.ID, Platform: path.Join(found.Os, found.Architecture, found.Variant), Layers: found.RootFS.Layers}
	if tagged := found.Metadata.LastTagTime; tagged.Unix() > 0 {
		result.Tagged = tagged.UTC()
	}
	if config := found.Config; config != nil {
		result.User, result.Env, result.WorkingDir, result.Labels = config.User, config.Env, config.WorkingDir, config.Labels
		result.Entrypoint, result.Command = config.Entrypoint, config.Cmd
		result.Volumes = slices.Sorted(maps.Keys(config.Volumes))
		result.StopSignal, result.OnBuild = config.StopSignal, config.OnBuild
	}
	if result.Config, err = json.Marshal(found.Config); err != nil {
		return Image{}, fmt.Errorf("reading the configuration of image %q: %w", ref, err)
	}
	return result, nil
}

// Commit creates an image from a container. Changes are Dockerfile instructions such as LABEL a=b: the only way to set
// an image's configuration that all engines honour.
//
// Podman fails without a configuration to decode. An empty one leaves the image's configuration as it is.
func (e *Engine) Commit(ctx context.Context, id, ref string, changes []string) error {
	_, err := e.api.ContainerCommit(ctx, id, container.CommitOptions{Reference: ref, Changes: changes, Config: &container.Config{}})
	if err != nil {
		return fmt.Errorf("committing container %q as image %q: %w", id, ref, e.noContainer(ctx, id, err))
	}
	return nil
}

// Tag gives an image another name.
func (e *Engine) Tag(ctx context.Context, image, name string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := e.api.ImageTag(ctx, image, name); err != nil {
		return fmt.Errorf("tagging image %q as %q: %w", image, name, noImage(err))
	}
	return nil
}

// Untag removes a name from an image that has other names. It is not an error if the name is already gone.
func (e *Engine) Untag(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if _, err := e.api.ImageRemove(ctx, name, image.RemoveOptions{}); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("untagging image %q: %w", name, err)
	}
	return nil
}

// ImageNames returns the names of images that match a pattern as of path.Match, such as example/*. It covers all tags. Engines
// may return more names of an image that matches.
func (e *Engine) ImageNames(ctx context.Context, pattern string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := e.api.ImageList(ctx, image.ListOptions{Filters: filters.NewArgs(filters.Arg("reference", pattern))})
	if err != nil {
		return nil, fmt.Errorf("listing images: %w", err)
	}
	var names []string
	for _, summary := range found {
		names = append(names, summary.RepoTags...)
	}
	return names, nil
}

// RemoveUnnamed removes an image that has no name. It is not an error if it has one, or if it is gone. It is one if a container
// uses the image.
func (e *Engine) RemoveUnnamed(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := e.api.ImageInspect(ctx, id)
	if err == nil && len(namesOf(found.RepoTags, found.RepoDigests)) == 0 { // otherwise the engine would take the name from the image
		_, err = e.api.ImageRemove(ctx, id, image.RemoveOptions{})
	}
	if err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("removing image %q: %w", id, err)
	}
	return nil
}
