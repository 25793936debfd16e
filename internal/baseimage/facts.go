// SPDX-License-Identifier: Apache-2.0

package baseimage

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/tlsfiles"
)

// Facts hold what only the files of an image tell. They are the same for every image that adds nothing to it but a target
// directory.
type Facts struct {
	TLSByInput  bool                `json:"tls_by_input,omitempty"` // a shell in it can read the TLS files from standard input
	User        *metadata.UIDGID    `json:"user,omitempty"`         // user of its processes; only without TLSByInput
	Directories []content.Directory `json:"directories,omitempty"`  // above the target directory, outermost first
	Link        string              `json:"link,omitempty"`         // a symbolic link at or above the target directory, which a layer would replace
}

// Facts finds the facts of an image, in a container that is never started. Without runs, no chaincode will run in an image
// made of it, so neither a shell nor a user is looked for.
func (i Images) Facts(ctx context.Context, image docker.Image, target string, runs bool) (facts Facts, err error) {
	err = i.WithContainer(ctx, image.ID, func(id string) error {
		if runs {
			if err := i.addDelivery(ctx, &facts, id, image); err != nil {
				return err
			}
		}
		return i.addDirectories(ctx, &facts, id, target)
	})
	return facts, err
}

// addDelivery adds how a chaincode gets its TLS files. The user is looked up only if they go by archive, because for a user
// name the engine packs a file, which takes 40 ms.
func (i Images) addDelivery(ctx context.Context, facts *Facts, id string, image docker.Image) (err error) {
	if facts.TLSByInput, err = i.takesTLSByInput(ctx, id); err != nil || facts.TLSByInput {
		return err
	}
	owner, err := ResolveUser(ctx, i.Engine, id, image)
	facts.User = &owner
	return err
}

// takesTLSByInput reports whether a shell in the container can read a chaincode's TLS files from standard input. It returns
// false if the directory of the files already exists, because a tmpfs there would hide its content, and if the engine cannot
// tell: an archive is right for every image.
func (i Images) takesTLSByInput(ctx context.Context, id string) (bool, error) {
	byInput, err := hasShell(ctx, i.Engine, id)
	if err != nil && !docker.IsGone(err) && ctx.Err() == nil {
		i.Log.Debug("cannot look for a shell in the image: its TLS files will be uploaded", "error", err)
		return false, nil
	}
	return byInput, err
}

func hasShell(ctx context.Context, engine Engine, id string) (bool, error) {
	shell, err := engine.Executable(ctx, id, "/bin/sh")
	if err != nil || !slices.Contains(tlsfiles.Shells, path.Base(shell)) {
		return false, err
	}
	exists, err := engine.PathExists(ctx, id, tlsfiles.Dir)
	return err == nil && !exists, err
}

// addDirectories adds the directories above target, up to a symbolic link.
func (i Images) addDirectories(ctx context.Context, facts *Facts, id, target string) error {
	exists := true
	dir := ""
	for _, part := range strings.Split(strings.Trim(target, "/"), "/") {
		if part == "" {
			continue
		}
		dir += "/" + part
		directory := content.Directory{Path: dir, Mode: 0o755}
		if exists {
			header, err := i.header(ctx, id, dir)
			switch {
			case errors.Is(err, docker.ErrNoPath):
				exists = false
			case err != nil:
				return err
			case header.Typeflag == tar.TypeSymlink:
				facts.Link = dir
				return nil
			default:
				directory.Mode, directory.UID, directory.GID = header.Mode, header.Uid, header.Gid
			}
		}
		if dir != path.Clean(target) { // the layer itself has an entry for the target
			facts.Directories = append(facts.Directories, directory)
		}
	}
	return nil
}

// header returns the tar header of a directory. The engine stops packing when the archive is closed.
func (i Images) header(ctx context.Context, id, dir string) (*tar.Header, error) {
	archive, err := i.Engine.Download(ctx, id, dir)
	if err != nil {
		return nil, err
	}
	defer archive.Close()
	header, err := tar.NewReader(archive).Next()
	if err != nil {
		return nil, fmt.Errorf("reading %s of the image: %w", dir, err)
	}
	return header, nil
}
