// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
)

// Spec describes a container to create. Apart from security and logging, which have safe defaults of their own, a field that
// is not set is not sent: engines differ in what they accept (some fail on swappiness, for example).
type Spec struct {
	Name        string
	Image       string
	Entrypoint  []string // nil: the image's
	Command     []string // nil: the image's
	Environment []string // KEY=VALUE
	WorkingDir  string
	Labels      map[string]string
	OwnName     bool              // no other create gives the name, see CreateOrInspect
	OwnLabel    string            // the label whose value no other create gives, see CreateOrInspect; empty: there is none
	Volumes     map[string]string // names by their path in the container
	NetworkMode string            // the network that the container is created with; empty: the engine's default
	Networks    []string          // further networks, which the caller joins with Connect
	Aliases     []string          // names of the container on user-defined networks
	ExtraHosts  []string          // NAME:ADDRESS
	Ports       []Port            // published on the engine's machine

	ReadOnly         bool     // the root file system is read-only
	AnonymousVolumes []string // paths of volumes that are removed with the container
	Tmpfs            []Tmpfs

	Input      bool              // the container has a standard input, for Attach; otherwise it reads end of file
	Init       bool              // process 1 is an init, which forwards signals and reaps zombies
	LogDriver  string            // empty: json-file
	LogOptions map[string]string // in the driver's notation
	Security
	DNS
	Resources
}

// Container holds the engine's record of a container. Times are by the engine's clock, and zero for what has not
// happened yet.
type Container struct {
	ID        string
	Name      string
	Labels    map[string]string
	Status    string // created, running, paused, restarting, removing, exited, dead; podman: stopped, while it unmounts the files
	Created   time.Time
	Started   time.Time
	Finished  time.Time
	ExitCode  int
	OOMKilled bool
	Error     string // why the container could not be started
	Ports     []Port // that are published; not in a list of containers

	// These are only in a list of containers.
	Image    string // as the container was created with; its ID if that name is gone
	ImageID  string
	Networks []string // sorted
	Volumes  []string // names
}

// Ended reports whether the container has run, is no longer running, and can be read.
func (c Container) Ended() bool { return c.Status == "exited" }

// IsRunning reports whether the container has processes.
func (c Container) IsRunning() bool {
	return c.Status == "running" || c.Status == "paused" || c.Status == "restarting"
}

// IsGoing reports whether the container is being removed, or is what a failed removal has left.
func (c Container) IsGoing() bool { return c.Status == "removing" || c.Status == "dead" }

func (s Spec) config() *container.Config {
	return &container.Config{
		Image:        s.Image,
		Entrypoint:   s.Entrypoint,
		Cmd:          s.Command,
		Env:          s.Environment,
		WorkingDir:   s.WorkingDir,
		Labels:       s.Labels,
		Healthcheck:  &container.HealthConfig{Test: []string{"NONE"}},
		Volumes:      s.anonymousVolumes(),
		ExposedPorts: s.exposedPorts(),
		AttachStdin:  s.Input,
		OpenStdin:    s.Input,
		StdinOnce:    s.Input, // end of file when the connection that writes to it closes
	}
}

// Inspect looks up a container by ID or name. One that is being removed counts as gone.
func (e *Engine) Inspect(ctx context.Context, id string) (Container, error) {
	found, err := e.inspect(ctx, id)
	if err != nil {
		return Container{}, err
	}
	result := Container{ID: found.ID, Name: strings.TrimPrefix(found.Name, "/"), Created: parseTime(found.Created)}
	if found.Config != nil {
		result.Labels = found.Config.Labels
	}
	if state := found.State; state != nil {
		result.Status, result.ExitCode, result.OOMKilled, result.Error = string(state.Status), state.ExitCode, state.OOMKilled, state.Error
		result.Started, result.Finished = parseTime(state.StartedAt), parseTime(state.FinishedAt)
	}
	if found.NetworkSettings != nil {
		result.Ports = publishedPorts(found.NetworkSettings.Ports)
	}
	if result.IsGoing() {
		return Container{}, fmt.Errorf("inspecting container %q, which is %s: %w", id, result.Status, ErrNoContainer)
	}
	return result, nil
}

func (e *Engine) inspect(ctx context.Context, id string) (container.InspectResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := e.api.ContainerInspect(ctx, id)
	if err != nil {
		return container.InspectResponse{}, fmt.Errorf("inspecting container %q: %w", id, e.noContainer(ctx, id, err))
	}
	return found, nil
}

// parseTime parses a time from the engine. It returns the zero time for year 1, which engines write for "not yet".
func parseTime(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.Year() <= 1 {
		return time.Time{}
	}
	return t
}

// Start starts a container. If ctx ends meanwhile, Start waits up to two seconds longer for the engine's answer.
func (e *Engine) Start(ctx context.Context, id string) error {
	_, err := finishDespiteCancel(ctx, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, e.api.ContainerStart(ctx, id, container.StartOptions{})
	})
	if err != nil {
		return fmt.Errorf("starting container %q: %w", id, e.noContainer(ctx, id, err))
	}
	return nil
}

// Rename gives a container another name, which frees its old name at once.
func (e *Engine) Rename(ctx context.Context, id, name string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := e.api.ContainerRename(ctx, id, name); err != nil {
		return fmt.Errorf("renaming container %q to %q: %w", id, name, e.noContainer(ctx, id, err))
	}
	return nil
}

// Stop sends SIGTERM to a container, waits for grace (rounded down to seconds), then kills it. It is not an error if the
// container has already ended or is gone.
func (e *Engine) Stop(ctx context.Context, id string, grace time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, grace+heavyTimeout)
	defer cancel()
	seconds := int(grace / time.Second)
	err := e.api.ContainerStop(ctx, id, container.StopOptions{Timeout: &seconds})
	if err != nil && !errdefs.IsNotFound(err) && !errdefs.IsNotModified(err) {
		return fmt.Errorf("stopping container %q: %w", id, err)
	}
	return nil
}

// Remove kills a container and removes it with its anonymous volumes. It is not an error if the container is already gone.
// If another client is removing it, Remove waits until it is gone.
func (e *Engine) Remove(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, heavyTimeout)
	defer cancel()
	for began := time.Now(); ; {
		err := e.api.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
		if err == nil || errdefs.IsNotFound(err) {
			return nil
		}
		if _, lookErr := e.Lookup(ctx, id); errors.Is(lookErr, ErrNoContainer) {
			return nil
		}
		if !errdefs.IsConflict(err) || time.Since(began) > conflictTimeout {
			return fmt.Errorf("removing container %q: %w", id, err)
		}
		// The list of containers does not tell how that removal goes: it may say "running" at first, and "removing" for ever
		// after a failure. So Remove asks again.
		select {
		case <-ctx.Done():
			return fmt.Errorf("removing container %q: %w", id, err)
		case <-time.After(createInterval):
		}
	}
}

// conflictTimeout is how long Remove waits for another client's removal of the container.
const conflictTimeout = 10 * time.Second
