// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"fabric-builder-docker/internal/baseimage"
	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/imagebuild"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/tlsfiles"
)

// tlsDelivery is how a container gets its TLS files: on its standard input, or as an archive that is uploaded before it
// starts. The zero value means that there are none.
type tlsDelivery struct {
	input   []byte
	archive func(uid, gid int) ([]byte, error) // returns a tar whose files belong to that user and group
	dir     string                             // where the archive is unpacked
}

// prepareTLS adds to spec what the delivery of the TLS files needs.
//
// If the image has a shell, the shell runs ahead of the image's entrypoint and writes the files from its standard input
// to a tmpfs. So the keys are in no layer, and the engine need not unpack an archive, for which some engines start a
// copy of themselves.
func (l *launch) prepareTLS(spec *docker.Spec, image imagebuild.Image) (tlsDelivery, error) {
	if !l.chaincode.TLS() {
		return tlsDelivery{}, nil
	}
	material := tlsfiles.Material{ClientCert: l.chaincode.ClientCert, ClientKey: l.chaincode.ClientKey, RootCert: l.chaincode.RootCert}
	if err := material.Check(); err != nil {
		return tlsDelivery{}, fmt.Errorf("reading %s: %w", metadata.ChaincodeFile, err)
	}
	keys, byInput := l.keyMode()
	if input := material.Input(); byInput && image.TLSByInput && len(input) <= tlsfiles.MaxInput {
		spec.Input = true
		entrypoint := image.Entrypoint
		if len(spec.Entrypoint) > 0 { // the operator has set another, for debugging
			entrypoint = spec.Entrypoint
		}
		spec.Entrypoint = tlsfiles.WrapCommand(tlsfiles.Dir, keys, entrypoint)
		spec.Tmpfs = append(spec.Tmpfs, docker.Tmpfs{Path: tlsfiles.Dir, Size: "1m"})
		return tlsDelivery{input: input}, nil
	}
	return prepareArchive(spec, material, keys), nil
}

// keyMode returns who can read the key, and whether the shell can arrange that: it belongs to the image's user, and without
// capabilities it cannot give a file to another one.
func (l *launch) keyMode() (keys tlsfiles.KeyMode, byInput bool) {
	switch reader := l.settings.Builder.Security.KeyReader; {
	case reader == "":
		return tlsfiles.KeyOfUser, true
	case reader == config.KeyReaderAll:
		return tlsfiles.KeyOfAll, true
	case strings.Contains(reader, ":"):
		return tlsfiles.KeyOfGroup, false
	}
	return tlsfiles.KeyOfUser, false
}

// prepareArchive returns the delivery for images that have no suitable shell, for files that are too large for the
// standard input, and for those of another user than the image's: see docs/configuration.md, "The TLS files".
//
// Engines cannot write to a read-only root file system, not even before the start. There the files go to an anonymous
// volume, which is removed with the container. A tmpfs does not work: it is mounted at the start.
func prepareArchive(spec *docker.Spec, material tlsfiles.Material, keys tlsfiles.KeyMode) tlsDelivery {
	pack, dir := material.Archive, "/"
	if spec.ReadOnly {
		spec.AnonymousVolumes = append(spec.AnonymousVolumes, tlsfiles.Dir)
		pack, dir = material.Files, tlsfiles.Dir
	}
	return tlsDelivery{dir: dir, archive: func(uid, gid int) ([]byte, error) { return pack(uid, gid, keys) }}
}

// upload uploads the TLS files if they are delivered as an archive.
func (l *launch) upload(ctx context.Context, id string, p prepared) error {
	if p.tls.archive == nil {
		return nil
	}
	user, err := l.keyOwner(ctx, id, p.image)
	if err != nil {
		return err
	}
	archive, err := p.tls.archive(user.UID, user.GID)
	if err != nil {
		return err
	}
	return l.engine.Upload(ctx, id, p.tls.dir, bytes.NewReader(archive))
}

// keyOwner returns the user that the TLS files belong to.
func (l *launch) keyOwner(ctx context.Context, id string, image imagebuild.Image) (metadata.UIDGID, error) {
	switch reader := l.settings.Builder.Security.KeyReader; reader {
	case "":
		return l.resolveUser(ctx, id, image)
	case config.KeyReaderAll: // any owner will do
		return metadata.UIDGID{}, nil
	default:
		return baseimage.ParseUIDGID(reader)
	}
}

// resolveUser returns the user that the chaincode runs as. A build does not look it up for an image that can take its
// TLS files on the standard input: such an image gets an archive only if the files are too large. An image of a Dockerfile may
// have been made anew since it was recorded, on a newer base image with another user.
func (l *launch) resolveUser(ctx context.Context, id string, image imagebuild.Image) (metadata.UIDGID, error) {
	mayDiffer := l.record.Type == "docker" && image.ID != ""
	if image.User != nil && !mayDiffer {
		return *image.User, nil
	}
	inspected, err := l.engine.Image(ctx, image.Name)
	if err != nil {
		return metadata.UIDGID{}, err
	}
	if image.User != nil && inspected.ID == image.ID {
		return *image.User, nil
	}
	return baseimage.ResolveUser(ctx, l.engine, id, inspected)
}
