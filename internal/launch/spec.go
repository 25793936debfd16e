package launch

import (
	"context"
	"errors"
	"strconv"
	"time"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/host"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/network"
	"fabric-builder-docker/internal/platform"
	"fabric-builder-docker/internal/tlsfiles"
)

// prepared is a container that can be created, and how it gets its TLS files.
type prepared struct {
	spec docker.Spec
	tls  handover
}

func (l *launch) prepare(chosen network.Networks) (prepared, error) {
	spec, err := l.spec()
	if err != nil {
		return prepared{}, err
	}
	if l.settings.VM.Docker.HostConfig.ReadonlyRootfs {
		spec.ReadOnly = true
		// What a chaincode surely needs to write. Java's libraries unpack native code there, and load it.
		spec.Tmpfs = []docker.Tmpfs{{Path: "/tmp", Size: "64m", Exec: true}}
	}
	chosen.Join(&spec)
	tls, err := l.setTLS(&spec)
	return prepared{spec, tls}, err
}

// spec is the chaincode's container. Its name is the lock between two runs of one chaincode; everything that a name
// had to cut stands in the labels.
func (l *launch) spec() (docker.Spec, error) {
	command, err := platform.StartCommand(l.record, l.settings, l.chaincode.PeerAddress)
	if err != nil {
		return docker.Spec{}, err
	}
	host := l.settings.VM.Docker.HostConfig
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
		Aliases:    l.settings.Builder.Aliases,
		ExtraHosts: host.ExtraHosts,
		Init:       l.settings.Builder.Security.Init,
		LogDriver:  host.LogConfig.Type,
		LogOptions: host.LogConfig.Config,
		Security:   l.security(),
		Names:      docker.Names{NameServers: host.Dns, SearchDomains: host.DnsSearch},
		Resources:  l.resources(),
	}, nil
}

// networks are those that the operator has set, literally; otherwise the chaincode goes where the peer is.
func (l *launch) networks(ctx context.Context) (network.Networks, error) {
	chosen, err := network.Configured(l.settings.VM.Docker.HostConfig.NetworkMode, l.settings.Builder.Networks)
	if err != nil || len(chosen.Names) > 0 {
		return chosen, err
	}
	container, err := host.ReadContainer(host.Mountinfo)
	if err != nil {
		l.log.Debug("this process's mounts cannot be read", "error", err)
	}
	return network.OfPeer(ctx, l.engine, l.log, network.Peer{
		Address: l.chaincode.PeerAddress, Endpoint: l.settings.VM.Endpoint, Container: container,
		EngineLocal: len(container.IDs) > 0 || host.EngineIsLocal(ctx, l.settings.VM.Endpoint),
	})
}

// explainNetworks says so where a network is why a container could not be created or started.
func (l *launch) explainNetworks(ctx context.Context, spec docker.Spec, err error) error {
	if err == nil || errors.Is(err, errTakenOver) || ctx.Err() != nil {
		return err
	}
	return network.Explain(ctx, l.engine, spec, err)
}

func (l *launch) name() string {
	peer := l.settings.Peer
	return metadata.RunNameOf(peer.NetworkID, peer.ID, l.chaincode, l.record.InstallToken)
}

// environment is what the built-in controller sets, and what images made for the Kubernetes builder read. The TLS
// variables are there with TLS only: a shim takes an empty one for a path. The operator's come last.
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
		"TINI_KILL_PROCESS_GROUP=1", // the init passes SIGTERM on to the children of a shell, too
	}
	if l.chaincode.TLS() {
		environment = append(environment, tlsfiles.Environment()...)
	}
	return environment.With(l.settings.Builder.Environment...)
}
