package launch

import (
	"bytes"
	"context"
	"fmt"

	"fabric-builder-docker/internal/baseimage"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/tlsfiles"
)

// handover is how a chaincode gets its TLS files: through its standard input, or by an archive before it starts. The
// zero value is for one that has none.
type handover struct {
	input   []byte
	archive func(uid, gid int) ([]byte, error) // of files that belong to that user
	dir     string                             // where the archive is unpacked
}

// setTLS prepares the container for its TLS files.
//
// Where the image has a shell, that takes the files from its standard input into a file system in memory, ahead of the
// image's own entrypoint: the keys are in no layer, and the engine is spared an archive, for which some start themselves
// anew.
func (l *launch) setTLS(spec *docker.Spec) (handover, error) {
	if !l.chaincode.TLS() {
		return handover{}, nil
	}
	material := tlsfiles.Material{ClientCert: l.chaincode.ClientCert, ClientKey: l.chaincode.ClientKey, RootCert: l.chaincode.RootCert}
	if err := material.Check(); err != nil {
		return handover{}, fmt.Errorf("reading %s: %w", metadata.ChaincodeFile, err)
	}
	if input := material.Input(); l.record.TLSByInput && len(input) <= tlsfiles.MaxInput {
		spec.Input = true
		spec.Entrypoint = tlsfiles.Receive(tlsfiles.Dir, l.record.Entrypoint)
		spec.Tmpfs = append(spec.Tmpfs, docker.Tmpfs{Path: tlsfiles.Dir, Size: "1m"})
		return handover{input: input}, nil
	}
	return l.byArchive(spec, material), nil
}

// byArchive is for all that cannot take the files itself: see docs/configuration.md, "The TLS files".
//
// Engines write into no read-only root file system, not even before the start, so there the files go to a volume: one
// without a name, which is removed with the container. A file system in memory would not do: it is mounted at the start
// only.
func (l *launch) byArchive(spec *docker.Spec, material tlsfiles.Material) handover {
	if spec.ReadOnly {
		spec.Scratch = append(spec.Scratch, tlsfiles.Dir)
		return handover{archive: material.Files, dir: tlsfiles.Dir}
	}
	return handover{archive: material.Archive, dir: "/"}
}

// upload is nothing to do where the files go another way.
func (l *launch) upload(ctx context.Context, id string, tls handover) error {
	if tls.archive == nil {
		return nil
	}
	user, err := l.user(ctx, id)
	if err != nil {
		return err
	}
	archive, err := tls.archive(user.UID, user.GID)
	if err != nil {
		return err
	}
	return l.engine.Upload(ctx, id, tls.dir, bytes.NewReader(archive))
}

// user is whom the chaincode runs as. A build does not look that up for an image that takes its TLS files by input: an
// archive is rare there, since they must be too many for that.
func (l *launch) user(ctx context.Context, id string) (metadata.UIDGID, error) {
	if l.record.User != nil {
		return *l.record.User, nil
	}
	image, err := l.engine.Image(ctx, l.record.Image)
	if err != nil {
		return metadata.UIDGID{}, err
	}
	return baseimage.ResolveUser(ctx, l.engine, id, l.record.Image, image.User)
}
