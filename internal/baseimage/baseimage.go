// SPDX-License-Identifier: Apache-2.0

// Package baseimage provides the images that builds start from or that packages name: it applies the pull policy, the
// mirror and the registry credentials. It also finds out what an image's configuration does not say: the UID and GID of its
// user, its shell, and its build scripts.
package baseimage

import (
	"context"
	"io"
	"time"

	"github.com/hashicorp/go-hclog"

	"fabric-builder-docker/internal/docker"
)

// Engine lists the calls of a container engine that this package needs.
type Engine interface {
	Reader
	Executable(ctx context.Context, id, path string) (string, error)
	PathExists(ctx context.Context, id, path string) (bool, error)
	Image(ctx context.Context, ref string) (docker.Image, error)
	Pull(ctx context.Context, pull docker.Pull, progress func(line string)) error
	Tag(ctx context.Context, image, name string) error
	Untag(ctx context.Context, name string) error
	CreateOrInspect(ctx context.Context, spec docker.Spec) (id string, holder *docker.Container, err error)
	Remove(ctx context.Context, id string) error
}

// Reader reads files from a container, even from one that was never started.
type Reader interface {
	Download(ctx context.Context, id, path string) (io.ReadCloser, error)
}

// Images gives access to the images of one engine.
type Images struct {
	Engine  Engine
	Log     hclog.Logger
	Pulls   Pulls
	Prefix  string               // of container names, builder.prefix
	Cleanup func() time.Duration // limit for the removal of a container that begins now
	Pulling func() (done func()) // is told when an image is pulled; nil: nobody is
	Pulled  func(err error)      // is told how a pull has ended; nil: nobody is

	Progress func(image string, progress docker.PullProgress) // is told how far a pull is; nil: nobody is
}
