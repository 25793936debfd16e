// SPDX-License-Identifier: Apache-2.0

package baseimage

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
)

// WithContainer creates a container from image without starting it, calls read with its ID, and removes it.
func (i Images) WithContainer(ctx context.Context, image string, read func(id string) error) error {
	id, _, err := i.Engine.CreateOrInspect(ctx, docker.Spec{
		Name:    metadata.AssemblyName(i.Prefix, metadata.RandomID()),
		OwnName: true,
		Image:   image,
		Command: []string{"/bin/sh"},                                          // never starts, but engines create no container without a command
		Labels:  map[string]string{metadata.LabelKind: metadata.KindAssembly}, // no more: an image that is committed gets them
	})
	if err != nil {
		return err
	}
	defer i.Discard(ctx, id)
	return read(id)
}

// Discard removes a container within Cleanup, even if ctx has ended, and tries again if the engine does not answer. If that
// fails it only logs a warning: nothing depends on it, and a later build removes the container.
func (i Images) Discard(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), i.Cleanup())
	defer cancel()
	for {
		err := i.Engine.Remove(ctx, id)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			i.Log.Warn("cannot remove a container of this build: a later build will remove it", "container_id", id, "error", err)
			return
		case <-time.After(retryInterval):
		}
	}
}

// retryInterval is the time between two attempts to remove a container. An engine that is restarted takes a second or more.
const retryInterval = 500 * time.Millisecond

// NoScript takes the place of the sum if an image does not have the script, or if the script is not executable.
const NoScript = "none"

// ScriptSum returns the SHA-256 of an executable script of an image, or [NoScript].
func (i Images) ScriptSum(ctx context.Context, image, script string) (sum string, err error) {
	err = i.WithContainer(ctx, image, func(id string) error {
		sum, err = scriptSum(ctx, i.Engine, id, script)
		return err
	})
	return sum, err
}

// scriptSum returns the sum of an executable script in a container. Its error wraps [docker.ErrNoContainer] if the container is gone.
func scriptSum(ctx context.Context, engine Reader, id, script string) (string, error) {
	archive, err := engine.Download(ctx, id, script)
	if errors.Is(err, docker.ErrNoPath) {
		return NoScript, nil
	}
	if err != nil {
		return "", err
	}
	defer archive.Close()
	content := tar.NewReader(archive)
	header, err := content.Next()
	if err != nil {
		return "", fmt.Errorf("reading %s of the builder image: %w", script, err)
	}
	if header.Typeflag == tar.TypeReg && header.Mode&0o111 == 0 {
		return NoScript, nil
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, content); err != nil {
		return "", fmt.Errorf("reading %s of the builder image: %w", script, err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}
