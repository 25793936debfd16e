package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
	"fabric-builder-docker/internal/tlsfiles"
)

// The rotation of a chaincode's log, as core.yaml has it.
const (
	logMaxSize  = "50m"
	logMaxFiles = 5
)

// spec is the chaincode's container. Its name is the lock between two runs of one chaincode; everything that a name
// had to cut stands in the labels.
func (l *launch) spec() (docker.Spec, error) {
	command, err := platform.Start(l.record.Type, l.chaincode.PeerAddress)
	if err != nil {
		return docker.Spec{}, err
	}
	return docker.Spec{
		Name:        l.name(),
		Image:       l.record.Image,
		Command:     command,
		Environment: l.environment(),
		Labels: map[string]string{
			metadata.LabelKind:         metadata.KindChaincode,
			metadata.LabelVersion:      cli.Release(),
			metadata.LabelChaincodeID:  l.chaincode.ID,
			metadata.LabelMSPID:        l.chaincode.MSPID,
			metadata.LabelPeerAddress:  l.chaincode.PeerAddress,
			metadata.LabelInstallToken: l.record.InstallToken,
			metadata.LabelBegan:        l.began.UTC().Format(time.RFC3339Nano),
		},
		NetworkMode: l.networkMode(),
		Init:        true,
		Memory:      l.settings.VM.Docker.HostConfig.Memory,
		Pids:        l.settings.Builder.Pids,
		LogMaxSize:  logMaxSize,
		LogMaxFiles: logMaxFiles,
	}, nil
}

func (l *launch) name() string { return metadata.RunName(l.chaincode, l.record.InstallToken) }

// networkMode is the operator's. Where nothing is set, an engine on this machine shares the host's network with the
// peer, which is where peer_address makes sense.
func (l *launch) networkMode() string {
	if mode := l.settings.VM.Docker.HostConfig.NetworkMode; mode != "" {
		return mode
	}
	if strings.HasPrefix(l.settings.VM.Endpoint, "unix://") {
		return "host"
	}
	return ""
}

// environment is what the built-in controller sets, and what images made for the Kubernetes builder read. The TLS
// variables are there with TLS only: a shim takes an empty one for a path.
func (l *launch) environment() []string {
	environment := []string{
		"CORE_CHAINCODE_ID_NAME=" + l.chaincode.ID,
		"CORE_CHAINCODE_LOGGING_LEVEL=info",
		"CORE_CHAINCODE_LOGGING_SHIM=warn",
		"CORE_PEER_ADDRESS=" + l.chaincode.PeerAddress,
		"CORE_PEER_LOCALMSPID=" + l.chaincode.MSPID,
		"CORE_PEER_TLS_ENABLED=" + strconv.FormatBool(l.chaincode.TLS()),
		"TINI_KILL_PROCESS_GROUP=1", // the init passes SIGTERM on to the children of a shell, too
	}
	if l.chaincode.TLS() {
		environment = append(environment, tlsfiles.Environment()...)
	}
	return environment
}

// tlsArchive is the tar of the TLS files; nil when TLS is off.
func (l *launch) tlsArchive() ([]byte, error) {
	if !l.chaincode.TLS() {
		return nil, nil
	}
	material := tlsfiles.Material{ClientCert: l.chaincode.ClientCert, ClientKey: l.chaincode.ClientKey, RootCert: l.chaincode.RootCert}
	if err := material.Check(); err != nil {
		return nil, fmt.Errorf("reading %s: %w", metadata.ChaincodeFile, err)
	}
	return material.Archive(l.record.User.UID, l.record.User.GID)
}
