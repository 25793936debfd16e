// Package baseimage makes sure of images that builds start from or that packages name: pull policy, mirror, credentials.
// It also finds out what an image says of itself that its configuration does not: the numbers of its user, its shell,
// the scripts it brings.
package baseimage

import (
	"context"
	"io"
	"time"

	"github.com/hashicorp/go-hclog"

	"fabric-builder-docker/internal/docker"
)

// Engine is what this package calls of a container engine.
type Engine interface {
	Prober
	Image(ctx context.Context, ref string) (docker.Image, error)
	Pull(ctx context.Context, pull docker.Pull, progress func(line string)) error
	Tag(ctx context.Context, image, name string) error
	Untag(ctx context.Context, name string) error
	CreateOrInspect(ctx context.Context, spec docker.Spec) (id string, holder *docker.Container, err error)
	Remove(ctx context.Context, id string) error
}

// Reader reads files out of a container, also of one that was never started.
type Reader interface {
	Inspect(ctx context.Context, id string) (docker.Container, error)
	Download(ctx context.Context, id, path string) (io.ReadCloser, error)
}

// Prober also finds out what is at a path.
type Prober interface {
	Reader
	Executable(ctx context.Context, id, path string) (string, error)
	PathExists(ctx context.Context, id, path string) (bool, error)
}

// Images are the images of one engine, as the operator's settings say how to get them.
type Images struct {
	Engine  Engine
	Log     hclog.Logger
	Pulls   Pulls
	Prefix  string        // of the names of containers, builder.prefix
	Version string        // of this program, for labels
	Cleanup time.Duration // bounds the removal of a container
}
