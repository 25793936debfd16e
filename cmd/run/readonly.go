package main

import (
	"fmt"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/tlsfiles"
)

// upload is an archive and where it is unpacked.
type upload struct {
	dir     string
	archive []byte
}

// tlsFiles are the TLS files; nil when TLS is off.
//
// Engines write into no read-only root file system, not even before the start, so there the files go to a volume: one
// without a name, which is removed with the container. A file system in memory would not do: it is mounted at the start
// only.
func (l *launch) tlsFiles() (*upload, error) {
	if !l.chaincode.TLS() {
		return nil, nil
	}
	material := tlsfiles.Material{ClientCert: l.chaincode.ClientCert, ClientKey: l.chaincode.ClientKey, RootCert: l.chaincode.RootCert}
	if err := material.Check(); err != nil {
		return nil, fmt.Errorf("reading %s: %w", metadata.ChaincodeFile, err)
	}
	user := l.record.User
	if l.readOnly() {
		archive, err := material.Files(user.UID, user.GID)
		return &upload{tlsfiles.Dir, archive}, err
	}
	archive, err := material.Archive(user.UID, user.GID)
	return &upload{"/", archive}, err
}

// setReadOnly makes the root file system read-only where the operator says so. What a chaincode surely needs to write,
// temporary files, it can write still.
func (l *launch) setReadOnly(spec *docker.Spec) {
	if !l.readOnly() {
		return
	}
	spec.ReadOnly = true
	spec.Tmpfs = []string{"/tmp"}
	if l.chaincode.TLS() {
		spec.Scratch = []string{tlsfiles.Dir}
	}
}

func (l *launch) readOnly() bool { return l.settings.VM.Docker.HostConfig.ReadonlyRootfs }
