// SPDX-License-Identifier: Apache-2.0

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

// Build describes an image to build from a Dockerfile.
type Build struct {
	Name    string            // tag of the finished image
	Context io.Reader         // tar archive with the Dockerfile at its root
	Args    map[string]string // build arguments
	Labels  map[string]string // override the Dockerfile's
	NoCache bool              // run all steps, also those whose results the engine has kept
	Network string            // of the build steps: empty, host or none; engines other than Docker accept more
	Memory  int64             // limit of one step, in bytes; 0: no limit. BuildKit ignores it

	// CacheNamespace separates BuildKit's cache mounts: only builds with the same namespace share them. Args may
	// override it.
	CacheNamespace string
}

// BuildError is a build that failed on the engine.
type BuildError struct {
	Message string // the engine's

	// StepUnknown means that the engine did not say which step failed. Some engines run a step that is common to
	// several builds once, and report its failure and its output to one of their clients only.
	StepUnknown bool
}

func (b *BuildError) Error() string { return b.Message }

// Build builds an image with BuildKit if the engine has it, otherwise with the engine's own builder. It uses no BuildKit
// session, so the engine gets neither secrets nor credentials, and the output of the steps is part of its answer. Build
// writes whole lines to output. The build stops when ctx ends.
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
	if b.CacheNamespace != "" {
		args["BUILDKIT_CACHE_MOUNT_NS"] = &b.CacheNamespace
	}
	for name, value := range b.Args {
		args[name] = &value
	}
	response, err := e.api.ImageBuild(ctx, b.Context, build.ImageBuildOptions{
		Version: build.BuilderBuildKit, Tags: []string{b.Name}, BuildArgs: args, Labels: b.Labels, Dockerfile: "Dockerfile",
		NoCache:     b.NoCache,
		NetworkMode: b.Network, Memory: b.Memory, MemorySwap: b.Memory,
		Remove: true, ForceRemove: true, // for engines that build in containers
	})
	if err != nil {
		return err
	}
	defer response.Body.Close()
	progress := newBuildkitProgress(output)
	defer progress.close()
	told := false // in plain text, by engines that do not build with BuildKit
	err = readMessages(response.Body, func(m message) error {
		told = told || m.Stream != ""
		return showMessage(m, progress, output)
	})
	var failed failedMessage
	if errors.As(err, &failed) {
		progress.close()
		return &BuildError{Message: strings.TrimSpace(string(failed)), StepUnknown: !told && !progress.failed()}
	}
	return err
}

// colours matches the escape sequences that the classic builder puts around a step's stderr.
var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

// showMessage shows one message of any builder: BuildKit's progress, the plain text of the classic builder and of podman,
// or the progress of pulling a base image.
func showMessage(m message, progress *buildkitProgress, output io.Writer) error {
	switch {
	case m.ID == buildkitProgressID:
		var data []byte
		if err := json.Unmarshal(m.Aux, &data); err == nil {
			progress.decode(data)
		}
	case m.Stream != "":
		_, err := io.WriteString(output, colours.ReplaceAllString(m.Stream, ""))
		return err
	default:
		if line := m.statusLine(); line != "" {
			_, err := fmt.Fprintln(output, line)
			return err
		}
	}
	return nil
}
