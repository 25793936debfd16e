// SPDX-License-Identifier: Apache-2.0

// Package network chooses the networks of a chaincode's container: those that the operator has set, or else those of the
// peer.
package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/hashicorp/go-hclog"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/host"
)

// setting is the key that overrides the choice.
const setting = "vm.docker.hostConfig.NetworkMode"

// Engine holds the calls of a container engine that this package needs.
type Engine interface {
	Attached(ctx context.Context, id string) (docker.Attached, error)
	Networks(ctx context.Context) ([]string, error)
	MissingNetworks(ctx context.Context, wanted []string) ([]string, error)
}

// Peer describes where the peer is. That determines the networks of its chaincodes if the operator has set none.
type Peer struct {
	Address     string         // peer_address of chaincode.json, HOST:PORT
	Endpoint    string         // endpoint of the engine, for messages
	EngineLocal bool           // the engine is on the peer's machine
	Container   host.Container // the peer's container
}

// Networks are the networks of one chaincode's container.
type Networks struct {
	Names []string // the container is created on the first one; none: the engine's default network
	Hosts []string // NAME:ADDRESS of the peer, for the container's /etc/hosts
}

// Host is the mode of a container that uses the network of the engine's machine. It has no ports of its own to publish.
const Host = "host"

// Mode returns the network on which the container is created. It is empty for the engine's default network.
func (n Networks) Mode() string {
	if len(n.Names) == 0 {
		return ""
	}
	return n.Names[0]
}

// ApplyTo sets the networks in the specification of a container.
func (n Networks) ApplyTo(spec *docker.Spec) {
	if len(n.Names) > 0 {
		spec.NetworkMode, spec.Networks = n.Names[0], n.Names[1:]
	}
	spec.ExtraHosts = slices.Concat(spec.ExtraHosts, n.Hosts) // the first entry for a name wins
}

// Configured returns the networks that the operator has set: mode is hostConfig.NetworkMode, further is builder.networks.
// Duplicates are removed. It returns an error if one of several is a mode such as host instead of a network.
func Configured(mode string, further []string) (Networks, error) {
	var names []string
	for _, name := range append([]string{mode}, further...) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if len(names) > 1 && !docker.IsNetwork(name) {
			return Networks{}, fmt.Errorf("network %q cannot be combined with other networks: see %s and builder.networks", name, setting)
		}
	}
	return Networks{Names: names}, nil
}

// Choose returns exactly the networks that the operator has set, otherwise those on which a chaincode reaches the peer at address.
func Choose(ctx context.Context, engine Engine, log hclog.Logger, settings config.Settings, address string) (Networks, error) {
	chosen, err := Configured(settings.VM.Docker.HostConfig.NetworkMode, settings.Builder.Networks)
	if err != nil || len(chosen.Names) > 0 {
		return chosen, err
	}
	container, err := host.ReadContainer(host.Mountinfo)
	if err != nil {
		log.Debug("cannot read this process's mounts", "error", err)
	}
	return ChooseForPeer(ctx, engine, log, Peer{
		Address: address, Endpoint: settings.VM.Endpoint, Container: container,
		EngineLocal: len(container.IDs) > 0 || host.EngineIsLocal(ctx, settings.VM.Endpoint),
	})
}

// ChooseForPeer returns the networks on which a chaincode reaches the peer: the peer's own, host if the peer runs on the
// host, or no name, with a warning, if the engine does not know where the peer is.
func ChooseForPeer(ctx context.Context, engine Engine, log hclog.Logger, peer Peer) (Networks, error) {
	for _, id := range peer.Container.IDs {
		attached, err := inspect(ctx, engine, id)
		switch {
		case errors.Is(err, docker.ErrNoContainer): // the ID belongs to a container of another engine
		case err != nil:
			return Networks{}, fmt.Errorf("finding the peer's networks (set %s to avoid this): %w", setting, err)
		default:
			return peer.chooseFrom(log, attached), nil
		}
	}
	switch {
	case len(peer.Container.IDs) > 0:
		peer.warnDefault(log, "the engine does not know the container that the peer runs in")
	case !peer.EngineLocal:
		peer.warnDefault(log, "the engine and the peer are on different machines")
	default:
		return Networks{Names: []string{Host}}, nil
	}
	return Networks{}, nil
}

// warnDefault warns that the chaincode is created on the engine's default network.
func (p Peer) warnDefault(log hclog.Logger, reason string) {
	log.Warn("the chaincode uses the engine's default network, where it may not reach the peer: set "+setting,
		"reason", reason, "endpoint", p.Endpoint, "peer_address", p.Address)
}

// inspect returns the networks of a container, or those of the container whose network it shares.
func inspect(ctx context.Context, engine Engine, id string) (docker.Attached, error) {
	for range 3 {
		found, err := engine.Attached(ctx, id)
		other, shares := strings.CutPrefix(found.Mode, "container:")
		if err != nil || !shares {
			return found, err
		}
		id = other
	}
	return docker.Attached{}, fmt.Errorf("following shared networks to container %q: too many steps", id)
}

// chooseFrom returns those of the peer's networks that the chaincode needs: the one on which the host of peer_address is a
// name of the peer, or else all of them. The others may exist to isolate a state database.
func (p Peer) chooseFrom(log hclog.Logger, peer docker.Attached) Networks {
	if peer.Mode == Host {
		return Networks{Names: []string{Host}}
	}
	if peer.Mode == "none" || len(peer.Endpoints) == 0 {
		p.warnDefault(log, "the peer's container is not on any network of the engine")
		return Networks{}
	}
	peer.Endpoints = slices.DeleteFunc(slices.Clone(peer.Endpoints), func(e docker.Endpoint) bool {
		return e.Network == "ingress" // internal to Swarm, containers cannot join it
	})
	name := hostOf(p.Address)
	if host.IsLoopback(name) {
		log.Warn("peer_address is a loopback address, which is the chaincode's own container: set peer.chaincodeAddress in core.yaml to a name of the peer", "peer_address", p.Address)
	}
	if known := endpointsOf(peer, name); len(known) > 0 {
		chosen := p.pickOne(log, peer, known)
		return Networks{Names: []string{chosen.Network}, Hosts: hostsEntry(name, chosen)}
	}
	var all Networks
	for _, endpoint := range peer.Endpoints {
		all.Names = append(all.Names, endpoint.Network)
		if len(all.Hosts) == 0 && isNameOf(peer, name) {
			all.Hosts = hostsEntry(name, endpoint)
		}
	}
	return all
}

// hostsEntry returns an /etc/hosts entry for the peer's name. It is needed on networks without DNS (the engine's default
// network, and all networks of a podman without its name server), and if several peers share the alias.
func hostsEntry(name string, peer docker.Endpoint) []string {
	if len(peer.Addresses) == 0 || net.ParseIP(name) != nil {
		return nil
	}
	return []string{name + ":" + peer.Addresses[0]}
}

// endpointsOf returns the endpoints on which the peer has that name or address.
func endpointsOf(peer docker.Attached, name string) []docker.Endpoint {
	return slices.DeleteFunc(slices.Clone(peer.Endpoints), func(e docker.Endpoint) bool {
		return !slices.ContainsFunc(slices.Concat(e.Names, e.Addresses), func(other string) bool { return strings.EqualFold(other, name) })
	})
}

// isNameOf reports whether name is the name or host name of the container, even if no network resolves it.
func isNameOf(peer docker.Attached, name string) bool {
	short, _, _ := strings.Cut(peer.Hostname, ".")
	return slices.ContainsFunc([]string{peer.Name, peer.Hostname, short}, func(other string) bool { return strings.EqualFold(other, name) })
}

// pickOne returns the endpoint on the network that the peer's container was created on, or else the first.
func (p Peer) pickOne(log hclog.Logger, peer docker.Attached, known []docker.Endpoint) docker.Endpoint {
	if len(known) == 1 {
		return known[0]
	}
	chosen := known[max(0, slices.IndexFunc(known, func(e docker.Endpoint) bool { return e.Network == peer.Mode }))]
	log.Info("the peer has this name on several networks, and the chaincode joins one of them: set "+setting+" to choose another",
		"peer_address", p.Address, "network", chosen.Network)
	return chosen
}

// Explain returns a clearer error if a missing network or container made a create or start fail, and err otherwise.
// Engines report this in different calls, with different statuses and texts, so Explain asks which networks exist.
func Explain(ctx context.Context, engine Engine, spec docker.Spec, err error) error {
	if other, shares := strings.CutPrefix(spec.NetworkMode, "container:"); shares {
		if _, inspectErr := engine.Attached(ctx, other); errors.Is(inspectErr, docker.ErrNoContainer) {
			return fmt.Errorf("the engine has no container %q to share a network with: see %s (%w)", other, setting, err)
		}
	}
	missing, listErr := engine.MissingNetworks(ctx, append([]string{spec.NetworkMode}, spec.Networks...))
	if listErr != nil || len(missing) == 0 {
		return err
	}
	known, listErr := engine.Networks(ctx)
	if listErr != nil {
		return err
	}
	return fmt.Errorf("the engine has no network %s, only %s: see %s (%w)", quoted(missing), quoted(known), setting, err)
}

// quoted returns the names in quotes, separated by commas.
func quoted(names []string) string {
	var all []string
	for _, name := range names {
		all = append(all, fmt.Sprintf("%q", name))
	}
	return strings.Join(all, ", ")
}

// hostOf returns address without its port.
func hostOf(address string) string {
	name, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return name
}
