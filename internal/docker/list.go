// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
)

// List returns all containers with these labels, in any state, and fills in ID, Name, Labels, Status, Created (to the second),
// Image, ImageID, Networks and Volumes only. An engine answers a list at once, even while an inspect of a container hangs because the container
// is being removed or read.
func (e *Engine) List(ctx context.Context, labels map[string]string) ([]Container, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	wanted := filters.NewArgs()
	for key, value := range labels {
		wanted.Add("label", key+"="+value)
	}
	found, err := e.api.ContainerList(ctx, container.ListOptions{All: true, Filters: wanted})
	if err != nil {
		return nil, fmt.Errorf("listing containers: %w", err)
	}
	var listed []Container
	for _, summary := range found {
		if hasLabels(summary.Labels, labels) {
			listed = append(listed, containerOf(summary))
		}
	}
	return listed, nil
}

// hasLabels checks what an engine has filtered: some engines match a value as a pattern.
func hasLabels(has, wanted map[string]string) bool {
	for key, value := range wanted {
		if got, ok := has[key]; !ok || got != value {
			return false
		}
	}
	return true
}

func containerOf(summary container.Summary) Container {
	listed := Container{ID: summary.ID, Labels: summary.Labels, Status: string(summary.State), Created: time.Unix(summary.Created, 0).UTC(),
		Image: summary.Image, ImageID: summary.ImageID}
	for _, name := range summary.Names { // more than one only for links, which contain a slash
		if name = strings.TrimPrefix(name, "/"); listed.Name == "" || !strings.Contains(name, "/") {
			listed.Name = name
		}
	}
	if settings := summary.NetworkSettings; settings != nil {
		listed.Networks = slices.Sorted(maps.Keys(settings.Networks))
	}
	for _, mount := range summary.Mounts {
		if mount.Name != "" {
			listed.Volumes = append(listed.Volumes, mount.Name)
		}
	}
	return listed
}

// Lookup looks up a container by ID or name in the list of containers, which engines answer even while the container is
// being removed, or while a client that downloads from it has stopped reading: an inspect hangs then. The list does not
// hold how a container ended, so only ID, Name, Labels, Status and Created are set.
func (e *Engine) Lookup(ctx context.Context, id string) (Container, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	filter := filters.NewArgs(filters.Arg("name", "^/?"+regexp.QuoteMeta(id)+"$"))
	if isID(id) {
		filter = filters.NewArgs(filters.Arg("id", id))
	}
	found, err := e.api.ContainerList(ctx, container.ListOptions{All: true, Filters: filter})
	switch {
	case err != nil:
		return Container{}, fmt.Errorf("looking for container %q: %w", id, err)
	case len(found) == 0:
		return Container{}, fmt.Errorf("looking for container %q: %w", id, ErrNoContainer)
	}
	return containerOf(found[0]), nil
}

// isID reports whether a container is referred to by its full ID. The names that this project gives are not like that.
func isID(text string) bool {
	_, err := hex.DecodeString(text)
	return err == nil && len(text) == 64
}
