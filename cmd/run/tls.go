package main

import (
	"bytes"
	"context"
	"fmt"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/tlsfiles"
)

// handover is how a chaincode gets its TLS files: by an archive before it starts. The zero value is for one that has none.
type handover struct {
	archive []byte
	dir     string // where the archive is unpacked
}

// setTLS prepares the container for its TLS files.
func (l *launch) setTLS(spec *docker.Spec) (handover, error) {
	if !l.chaincode.TLS() {
		return handover{}, nil
	}
	material := tlsfiles.Material{ClientCert: l.chaincode.ClientCert, ClientKey: l.chaincode.ClientKey, RootCert: l.chaincode.RootCert}
	if err := material.Check(); err != nil {
		return handover{}, fmt.Errorf("reading %s: %w", metadata.ChaincodeFile, err)
	}
	return l.archive(spec, material)
}

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

func (h handover) upload(ctx context.Context, engine Engine, id string) error {
	if h.archive == nil {
		return nil
	}
	return engine.Upload(ctx, id, h.dir, bytes.NewReader(h.archive))
}
