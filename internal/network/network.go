// Package network chooses the networks of a chaincode's container: those that the operator has set, otherwise those where
// the peer is.
package network

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/hashicorp/go-hclog"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/host"
)

// setting is what an operator sets to choose otherwise.
const setting = "vm.docker.hostConfig.NetworkMode"

// Engine is what this package calls of a container engine.
type Engine interface {
	Attached(ctx context.Context, id string) (docker.Attached, error)
	Networks(ctx context.Context) ([]string, error)
	MissingNetworks(ctx context.Context, wanted []string) ([]string, error)
}

// Peer is what decides the networks of its chaincodes where the operator has set none.
type Peer struct {
	Address     string // peer_address of chaincode.json, HOST:PORT
	Endpoint    string // of the engine, vm.endpoint
	EngineLocal bool   // the engine is on the peer's machine
	Container   host.Container
}

// Networks are what a chaincode's container is connected to.
type Networks struct {
	Names []string // the container is created with the first one; none: the engine's default
	Hosts []string // NAME:ADDRESS of the peer, for the container's hosts file
}

// Join sets the networks of a container that is not created yet.
func (n Networks) Join(spec *docker.Spec) {
	if len(n.Names) > 0 {
		spec.NetworkMode, spec.Networks = n.Names[0], n.Names[1:]
	}
	spec.ExtraHosts = slices.Concat(spec.ExtraHosts, n.Hosts) // the first one of a name counts
}

// Configured returns the networks that the operator has set, each once; mode is hostConfig.NetworkMode, further is
// builder.networks.
func Configured(mode string, further []string) (Networks, error) {
	var names []string
	for _, name := range append([]string{mode}, further...) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if len(names) > 1 && !docker.IsNetwork(name) {
			return Networks{}, fmt.Errorf("network %q cannot be combined with others: see %s and builder.networks", name, setting)
		}
	}
	return Networks{Names: names}, nil
}

// OfPeer returns the networks where the peer is.
func OfPeer(ctx context.Context, engine Engine, log hclog.Logger, peer Peer) (Networks, error) {
	for _, id := range peer.Container.IDs {
		attached, err := follow(ctx, engine, id)
		switch {
		case errdefs.IsNotFound(err): // the ID of another engine's container
		case err != nil:
			return Networks{}, fmt.Errorf("finding the peer's networks (set %s to avoid this): %w", setting, err)
		default:
			return peer.beside(log, attached), nil
		}
	}
	switch {
	case len(peer.Container.IDs) > 0:
		peer.warnOfDefault(log, "the engine does not know the container that the peer runs in")
	case !peer.EngineLocal:
		peer.warnOfDefault(log, "the engine is on another machine than the peer")
	default:
		return Networks{Names: []string{"host"}}, nil
	}
	return Networks{}, nil
}

func (p Peer) warnOfDefault(log hclog.Logger, reason string) {
	log.Warn("the chaincode uses the engine's default network, where it may not reach the peer: set "+setting,
		"reason", reason, "endpoint", p.Endpoint, "peer_address", p.Address)
}

// follow returns how a container is connected, or the container whose network it shares.
func follow(ctx context.Context, engine Engine, id string) (docker.Attached, error) {
	for range 3 {
		found, err := engine.Attached(ctx, id)
		other, shares := strings.CutPrefix(found.Mode, "container:")
		if err != nil || !shares {
			return found, err
		}
		id = other
	}
	return docker.Attached{}, fmt.Errorf("container %q shares the network of a container that shares another's", id)
}

// beside returns those of the peer's networks that the chaincode needs: the one on which the host of peer_address is a
// name of the peer, otherwise all. The others may be there to keep a state database away from everybody else.
func (p Peer) beside(log hclog.Logger, peer docker.Attached) Networks {
	if peer.Mode == "host" {
		return Networks{Names: []string{"host"}}
	}
	if peer.Mode == "none" || len(peer.Endpoints) == 0 {
		p.warnOfDefault(log, "the peer's container has no network of the engine")
		return Networks{}
	}
	name := hostOf(p.Address)
	if host.IsLoopback(name) {
		log.Warn("peer_address points into the chaincode's own container: set peer.chaincodeAddress to a name of the peer", "peer_address", p.Address)
	}
	if known := endpointsOf(peer, name); len(known) > 0 {
		chosen := p.oneOf(log, peer, known)
		return Networks{Names: []string{chosen.Network}, Hosts: hostsEntry(name, chosen)}
	}
	var all Networks
	for _, endpoint := range peer.Endpoints {
		if endpoint.Network == "ingress" { // Swarm's own, closed to containers
			continue
		}
		all.Names = append(all.Names, endpoint.Network)
		if len(all.Hosts) == 0 && isNameOf(peer, name) {
			all.Hosts = hostsEntry(name, endpoint)
		}
	}
	return all
}

// hostsEntry makes the peer's name resolve on networks that resolve none (the engine's own, and any of a podman without
// its name server), and to this very peer where several have the same alias.
func hostsEntry(name string, peer docker.Endpoint) []string {
	if len(peer.Addresses) == 0 || net.ParseIP(name) != nil {
		return nil
	}
	return []string{name + ":" + peer.Addresses[0]}
}

// endpointsOf returns the endpoints on which the peer is found under that name or address.
func endpointsOf(peer docker.Attached, name string) []docker.Endpoint {
	return slices.DeleteFunc(slices.Clone(peer.Endpoints), func(e docker.Endpoint) bool {
		return !slices.ContainsFunc(slices.Concat(e.Names, e.Addresses), func(other string) bool { return strings.EqualFold(other, name) })
	})
}

// isNameOf reports whether the container itself has that name, whatever its networks resolve.
func isNameOf(peer docker.Attached, name string) bool {
	short, _, _ := strings.Cut(peer.Hostname, ".")
	return slices.ContainsFunc([]string{peer.Name, peer.Hostname, short}, func(other string) bool { return strings.EqualFold(other, name) })
}

// oneOf prefers the network that the peer's container was created with: it is the operator's first.
func (p Peer) oneOf(log hclog.Logger, peer docker.Attached, known []docker.Endpoint) docker.Endpoint {
	if len(known) == 1 {
		return known[0]
	}
	chosen := known[max(0, slices.IndexFunc(known, func(e docker.Endpoint) bool { return e.Network == peer.Mode }))]
	log.Info("the peer has this name on several networks and the chaincode joins one of them: set "+setting+" to choose another",
		"peer_address", p.Address, "network", chosen.Network)
	return chosen
}

// Explain turns the error of a create or a start into a clear one where a network is the reason. Engines report it at
// different calls, with different statuses and texts, so they are asked which networks there are.
func Explain(ctx context.Context, engine Engine, spec docker.Spec, err error) error {
	if other, shares := strings.CutPrefix(spec.NetworkMode, "container:"); shares {
		if _, inspectErr := engine.Attached(ctx, other); errdefs.IsNotFound(inspectErr) {
			return fmt.Errorf("there is no container %q, whose network is set: see %s (%v)", other, setting, err)
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
	// %v: the engine's 404 must not be taken for a container that has gone.
	return fmt.Errorf("there is no network %s: see %s, the engine has %s (%v)", quoted(missing), setting, quoted(known), err)
}

func quoted(names []string) string {
	var all []string
	for _, name := range names {
		all = append(all, fmt.Sprintf("%q", name))
	}
	return strings.Join(all, ", ")
}

// hostOf returns the host of an address, without its port.
func hostOf(address string) string {
	name, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return name
}
