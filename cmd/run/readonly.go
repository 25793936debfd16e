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

// setReadOnly makes the root file system read-only where the operator says so.
func (l *launch) setReadOnly(spec *docker.Spec) {
	if !l.readOnly() {
		return
	}
	spec.ReadOnly = true
	spec.Tmpfs = []docker.Tmpfs{tmp}
	if l.chaincode.TLS() {
		spec.Scratch = []string{tlsfiles.Dir}
	}
}

// tmp is what a chaincode surely needs to write where its root file system is read-only: temporary files. Java's libraries
// unpack native code and load it from there.
var tmp = docker.Tmpfs{Path: "/tmp", Size: "64m", Exec: true}

func (l *launch) readOnly() bool { return l.settings.VM.Docker.HostConfig.ReadonlyRootfs }
