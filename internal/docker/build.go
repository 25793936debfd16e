package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/docker/docker/api/types/build"
)

// Build is an image that the engine makes of a Dockerfile.
type Build struct {
	Name    string            // of the image, once it is whole
	Context io.Reader         // a tar with the Dockerfile at its root
	Args    map[string]string // build arguments
	Caches  string            // the name space of BuildKit's cache mounts, unless Args name one: only builds with the same share them
	Labels  map[string]string // of the image, whatever the Dockerfile says
	Pull    bool              // ask the registry for base images that are there already
	Network string            // of the steps: empty, host or none; other engines than Docker take more
	Memory  int64             // of one step, in bytes; 0: no limit. BuildKit ignores it
}

// BuildError is a build that an engine has begun and not brought to an end, in the engine's words.
type BuildError struct {
	Message string
	Untold  bool // no step is known to have failed: what has, and what it has printed, another build of the same was told
}

func (b *BuildError) Error() string { return b.Message }

// Build builds with BuildKit where the engine has it, without a session: what the steps print comes in the answer, and
// neither secrets nor credentials go there. Output gets whole lines. The end of ctx ends the build.
func (e *Engine) Build(ctx context.Context, b Build, output io.Writer) error {
	err := e.build(ctx, b, output)
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return fmt.Errorf("building image %q: %w", b.Name, err)
}

func (e *Engine) build(ctx context.Context, b Build, output io.Writer) error {
	args := map[string]*string{}
	if b.Caches != "" {
		args["BUILDKIT_CACHE_MOUNT_NS"] = &b.Caches
	}
	for name, value := range b.Args {
		args[name] = &value
	}
	response, err := e.api.ImageBuild(ctx, b.Context, build.ImageBuildOptions{
		Version: build.BuilderBuildKit, Tags: []string{b.Name}, BuildArgs: args, Labels: b.Labels, PullParent: b.Pull,
		NetworkMode: b.Network, Memory: b.Memory, MemorySwap: b.Memory,
		Remove: true, ForceRemove: true, // for the engines that build in containers
	})
	if err != nil {
		return err
	}
	defer response.Body.Close()
	steps := newTrace(output)
	defer steps.close()
	err = readMessages(response.Body, func(m message) error { return showStep(m, steps, output) })
	var failed failedMessage
	if errors.As(err, &failed) {
		steps.close()
		return &BuildError{Message: strings.TrimSpace(string(failed)), Untold: !steps.failed()}
	}
	return err
}

// colours are what the classic builder puts around what steps print to stderr.
var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

// showStep shows one message of any builder: BuildKit's trace, plain text of the classic builder and of podman, or the
// progress of a base image that is pulled.
func showStep(m message, steps *trace, output io.Writer) error {
	switch {
	case m.ID == traceID:
		var data []byte
		if err := json.Unmarshal(m.Aux, &data); err == nil {
			steps.take(data)
		}
	case m.Stream != "":
		_, err := io.WriteString(output, colours.ReplaceAllString(m.Stream, ""))
		return err
	default:
		if line := m.step(); line != "" {
			_, err := fmt.Fprintln(output, line)
			return err
		}
	}
	return nil
}
