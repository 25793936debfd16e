// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"fabric-builder-docker/test/engine"
	"fabric-builder-docker/test/ours"
)

// prefix begins the names of everything that the programs create here.
const prefix = ours.Prefix + "-faults"

// stage is what the scenarios share: an engine, small base images, and a directory of the builder.
type stage struct {
	engine  *engine.Client
	host    string
	version string
	builder string // with bin/ and config.yaml
	scratch string
}

func newStage(ctx context.Context) (s *stage, err error) {
	host := os.Getenv("DOCKER_HOST")
	if host == "" {
		return nil, errors.New("DOCKER_HOST is not set: an engine is needed, run this through make faults")
	}
	client, err := engine.NewClient(host)
	if err != nil {
		return nil, err
	}
	scratch, err := os.MkdirTemp("", "faults")
	if err != nil {
		return nil, err
	}
	s = &stage{engine: client, host: host, scratch: scratch, builder: filepath.Join(scratch, "builder")}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close(ctx))
		}
	}()
	var version struct{ Version string }
	if err := client.Get(ctx, "/version", &version); err != nil {
		return nil, fmt.Errorf("asking the engine for its version: %w", err)
	}
	s.version = version.Version
	if err := s.configure(); err != nil {
		return nil, fmt.Errorf("setting up the builder: %w", err)
	}
	return s, s.loadImages(ctx)
}

// configure copies the programs, so that a make changes nothing here, and writes their settings.
func (s *stage) configure() error {
	if err := os.CopyFS(filepath.Join(s.builder, "bin"), os.DirFS("bin")); err != nil {
		return err
	}
	settings := fmt.Sprintf("vm: {endpoint: %q}\nchaincode:\n  builder: %s\n  golang: {runtime: %[2]s}\n  node: {runtime: %s}\nbuilder: {prefix: %s}\n",
		s.host, goImage, nodeImage, prefix)
	return os.WriteFile(filepath.Join(s.builder, "config.yaml"), []byte(settings), 0o644)
}

// closeTime bounds the removal of everything at the end.
const closeTime = 2 * time.Minute

// close removes everything that this run and earlier ones have left.
func (s *stage) close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
	defer cancel()
	return errors.Join(s.clean(ctx), s.removeImages(ctx, imageRepository), os.RemoveAll(s.scratch))
}
