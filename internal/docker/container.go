package docker

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
)

// Spec is a container to create. A field that is not set is left to the engine and the image: engines differ in what
// they take (swappiness, for one, fails on some), so nothing is sent that was not asked for.
type Spec struct {
	Name        string
	Image       string
	Entrypoint  []string // nil: the image's
	Command     []string // nil: the image's
	Environment []string // KEY=VALUE
	WorkingDir  string
	Labels      map[string]string
	Volumes     map[string]string // path in the container -> name of a volume
	NetworkMode string            // the network that it is created with; empty: the engine's default
	Networks    []string          // others, for Connect
	Aliases     []string          // of the container, in networks that somebody has made
	ExtraHosts  []string          // NAME:ADDRESS

	ReadOnly bool     // the root file system
	Scratch  []string // paths with a volume of their own, which goes with the container
	Tmpfs    []Tmpfs

	Input      bool              // it has a standard input, which Attach writes to; otherwise it reads nothing
	Init       bool              // an init as process 1, which forwards signals and reaps
	LogDriver  string            // empty: json-file
	LogOptions map[string]string // as the driver takes them
	Security
	Names
	Resources
}

// Container is what an engine knows of a container. Times are by the engine's clock, zero where there is none yet.
type Container struct {
	ID        string
	Name      string
	Labels    map[string]string
	Status    string // created, running, paused, restarting, removing, exited, dead
	Created   time.Time
	Started   time.Time
	Finished  time.Time
	ExitCode  int
	OOMKilled bool
	Error     string // why it could not be started
}

// Ended says whether the container has run and runs no more.
func (c Container) Ended() bool { return c.Status == "exited" || c.Status == "dead" }

func (s Spec) config() *container.Config {
	return &container.Config{
		Image:       s.Image,
		Entrypoint:  s.Entrypoint,
		Cmd:         s.Command,
		Env:         s.Environment,
		WorkingDir:  s.WorkingDir,
		Labels:      s.Labels,
		Healthcheck: &container.HealthConfig{Test: []string{"NONE"}},
		Volumes:     s.scratch(),
		AttachStdin: s.Input,
		OpenStdin:   s.Input,
		StdinOnce:   s.Input, // it ends with the connection that writes to it
	}
}

// Inspect looks a container up by id or name.
func (e *Engine) Inspect(ctx context.Context, id string) (Container, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := e.api.ContainerInspect(ctx, id)
	if err != nil {
		return Container{}, fmt.Errorf("inspecting container %q: %w", id, err)
	}
	result := Container{ID: found.ID, Name: strings.TrimPrefix(found.Name, "/"), Created: moment(found.Created)}
	if found.Config != nil {
		result.Labels = found.Config.Labels
	}
	if state := found.State; state != nil {
		result.Status, result.ExitCode, result.OOMKilled, result.Error = string(state.Status), state.ExitCode, state.OOMKilled, state.Error
		result.Started, result.Finished = moment(state.StartedAt), moment(state.FinishedAt)
	}
	return result, nil
}

// moment reads an engine's time. Engines write year 1 for "not yet".
func moment(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.Year() <= 1 {
		return time.Time{}
	}
	return t
}

// Start starts a container. Its answer is waited for a little longer than the context lasts.
func (e *Engine) Start(ctx context.Context, id string) error {
	_, err := settle(ctx, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, e.api.ContainerStart(ctx, id, container.StartOptions{})
	})
	if err != nil {
		return fmt.Errorf("starting container %q: %w", id, err)
	}
	return nil
}

// Rename gives a container another name, so that its own is free at once.
func (e *Engine) Rename(ctx context.Context, id, name string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := e.api.ContainerRename(ctx, id, name); err != nil {
		return fmt.Errorf("renaming container %q to %q: %w", id, name, err)
	}
	return nil
}

// Stop sends SIGTERM, waits for grace (whole seconds), then kills. A container that has ended or gone is fine.
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

// Remove kills and removes a container with its anonymous volumes. One that is gone already is fine.
func (e *Engine) Remove(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, heavyTimeout)
	defer cancel()
	err := e.api.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	if err == nil || errdefs.IsNotFound(err) {
		return nil
	}
	if errdefs.IsConflict(err) { // somebody else is removing it right now
		return e.awaitRemoval(ctx, id, err)
	}
	return fmt.Errorf("removing container %q: %w", id, err)
}

// awaitRemoval waits until a container that somebody else removes is gone.
func (e *Engine) awaitRemoval(ctx context.Context, id string, cause error) error {
	for {
		if _, err := e.Inspect(ctx, id); errdefs.IsNotFound(err) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("removing container %q: %w", id, cause)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
