// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"errors"
	"strconv"
	"time"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/imagebuild"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/network"
	"fabric-builder-docker/internal/platform"
	"fabric-builder-docker/internal/tlsfiles"
)

// prepared is a container that is ready to be created.
type prepared struct {
	image imagebuild.Image
	spec  docker.Spec
	tls   tlsDelivery
}

// prepare returns the container of the chaincode, made from image and connected to networks.
func (l *launch) prepare(image imagebuild.Image, networks network.Networks) (prepared, error) {
	spec, err := l.spec(image.Name)
	if err != nil {
		return prepared{}, err
	}
	if l.settings.VM.Docker.HostConfig.ReadonlyRootfs {
		spec.ReadOnly = true
		// Every chaincode may need to write temporary files. Java libraries unpack native code there, and load it.
		spec.Tmpfs = []docker.Tmpfs{{Path: "/tmp", Size: "64m", Exec: true}}
	}
	networks.ApplyTo(&spec)
	l.applyDebugging(&spec)
	tls, err := l.prepareTLS(&spec, image)
	return prepared{image, spec, tls}, err
}

// spec returns the chaincode's container, without networks and TLS files. Its name is the lock between two runs of the
// same chaincode; the labels hold in full what the name shortens.
func (l *launch) spec(image string) (docker.Spec, error) {
	command, err := platform.StartCommand(l.record, l.settings, l.chaincode.PeerAddress)
	if err != nil {
		return docker.Spec{}, err
	}
	host := l.settings.VM.Docker.HostConfig
	return docker.Spec{
		Name:        l.containerName(),
		Image:       image,
		Command:     command,
		Environment: l.environment(),
		Labels:      l.labels(),
		Aliases:     l.settings.Builder.Aliases,
		ExtraHosts:  host.ExtraHosts,
		Init:        l.settings.Builder.Security.Init,
		LogDriver:   host.LogConfig.Type,
		LogOptions:  host.LogConfig.Config,
		Security:    l.security(),
		DNS:         docker.DNS{NameServers: host.Dns, SearchDomains: host.DnsSearch},
		Resources:   l.resources(),
	}, nil
}

// labels returns the labels of the chaincode's container.
func (l *launch) labels() map[string]string {
	labels := l.identity()
	labels[metadata.LabelVersion] = cli.Release()
	labels[metadata.LabelBegan] = l.began.UTC().Format(time.RFC3339Nano)
	return labels
}

// identity returns the labels that all containers of this chaincode of this peer share.
func (l *launch) identity() map[string]string {
	return map[string]string{
		metadata.LabelKind:         metadata.KindChaincode,
		metadata.LabelChaincodeID:  l.chaincode.ID,
		metadata.LabelMSPID:        l.chaincode.MSPID,
		metadata.LabelPeerAddress:  l.chaincode.PeerAddress,
		metadata.LabelInstallToken: l.record.InstallToken,
	}
}

// explainNetworks returns a clearer error if the container could not be created or started because of a network.
func (l *launch) explainNetworks(ctx context.Context, spec docker.Spec, err error) error {
	if errors.Is(err, errTakenOver) || ctx.Err() != nil {
		return err
	}
	return network.Explain(ctx, l.engine, spec, err)
}

// containerName returns the name of the chaincode's container, the same for every run.
func (l *launch) containerName() string {
	peer := l.settings.Peer
	return metadata.RunNameOf(peer.NetworkID, peer.ID, l.chaincode, l.record.InstallToken)
}

// environment returns the variables that the peer's built-in controller sets, those that images made for the Kubernetes
// builder read, and the operator's, which win. Without TLS it sets no TLS variables: a shim takes an empty one for a
// path.
func (l *launch) environment() []string {
	logging := l.settings.Chaincode.Logging
	environment := config.Environment{
		"CORE_CHAINCODE_ID_NAME=" + l.chaincode.ID,
		"CORE_CHAINCODE_LOGGING_LEVEL=" + logging.Level,
		"CORE_CHAINCODE_LOGGING_SHIM=" + logging.Shim,
		"CORE_CHAINCODE_LOGGING_FORMAT=" + logging.Format,
		"CORE_PEER_ADDRESS=" + l.chaincode.PeerAddress,
		"CORE_PEER_LOCALMSPID=" + l.chaincode.MSPID,
		"CORE_PEER_TLS_ENABLED=" + strconv.FormatBool(l.chaincode.TLS()),
		"TINI_KILL_PROCESS_GROUP=1", // the init also forwards SIGTERM to the children of a shell
	}
	if l.chaincode.TLS() {
		environment = append(environment, tlsfiles.Environment()...)
	}
	return environment.With(l.settings.Builder.Environment...)
}
