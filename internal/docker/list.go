package docker

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
)

// List returns all containers with these labels, in any state, and fills in ID, Name, Labels, Status and Created only, the
// latter to the second. An engine answers a list at once, even while an inspect of a container hangs because the container
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
	listed := Container{ID: summary.ID, Labels: summary.Labels, Status: string(summary.State), Created: time.Unix(summary.Created, 0).UTC()}
	for _, name := range summary.Names { // more than one only for links, which contain a slash
		if name = strings.TrimPrefix(name, "/"); listed.Name == "" || !strings.Contains(name, "/") {
			listed.Name = name
		}
	}
	return listed
}
