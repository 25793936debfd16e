package main

import (
	"bytes"
	"context"
	"fmt"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/tlsfiles"
)

// handover is how a chaincode gets its TLS files: through its standard input, or by an archive before it starts. The
// zero value is for one that has none.
type handover struct {
	input   []byte
	archive []byte
	dir     string // where the archive is unpacked
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
	return l.archive(spec, material)
}

// archive is for all that cannot take the files itself: see docs/configuration.md, "The TLS files".
//
// Engines write into no read-only root file system, not even before the start, so there the files go to a volume: one
// without a name, which is removed with the container. A file system in memory would not do: it is mounted at the start
// only.
func (l *launch) archive(spec *docker.Spec, material tlsfiles.Material) (handover, error) {
	user := l.record.User
	if spec.ReadOnly {
		spec.Scratch = append(spec.Scratch, tlsfiles.Dir)
		archive, err := material.Files(user.UID, user.GID)
		return handover{archive: archive, dir: tlsfiles.Dir}, err
	}
	archive, err := material.Archive(user.UID, user.GID)
	return handover{archive: archive, dir: "/"}, err
}

// upload is nothing to do where the files go another way.
func (h handover) upload(ctx context.Context, engine Engine, id string) error {
	if h.archive == nil {
		return nil
	}
	return engine.Upload(ctx, id, h.dir, bytes.NewReader(h.archive))
}
