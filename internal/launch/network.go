package launch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/containerd/errdefs"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/whereabouts"
)

// networkSetting is what an operator changes when the choice made here is not theirs.
const networkSetting = "vm.docker.hostConfig.NetworkMode"

// networks are what a chaincode's container is connected to.
type networks struct {
	names []string // the container is created with the first one; none: the engine's default
	hosts []string // NAME:ADDRESS of the peer
}

// networks are those that the operator has set, literally; otherwise the chaincode goes where the peer is.
func (l *launch) networks(ctx context.Context) (networks, error) {
	chosen, err := l.configuredNetworks()
	if err == nil && len(chosen.names) == 0 {
		return l.peersNetworks(ctx)
	}
	return chosen, err
}

// join puts a container that is not created yet there.
func (n networks) join(spec *docker.Spec) {
	if len(n.names) > 0 {
		spec.NetworkMode, spec.Networks = n.names[0], n.names[1:]
	}
	spec.ExtraHosts = slices.Concat(spec.ExtraHosts, n.hosts) // the first one of a name counts
}

func (l *launch) configuredNetworks() (networks, error) {
	var names []string
	for _, name := range append([]string{l.settings.VM.Docker.HostConfig.NetworkMode}, l.settings.Builder.Networks...) {
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, name := range names {
		if len(names) > 1 && !docker.IsNetwork(name) {
			return networks{}, fmt.Errorf("network %q cannot be combined with others: see %s and builder.networks", name, networkSetting)
		}
	}
	return networks{names: names}, nil
}

// peersNetworks are where the peer is.
func (l *launch) peersNetworks(ctx context.Context) (networks, error) {
	ids, err := whereabouts.OwnContainer()
	if err != nil { // no Linux, no container
		l.log.Debug("this process's mounts cannot be read", "error", err)
	}
	return l.networksOf(ctx, ids)
}

// networksOf are the networks of the peer, whose container may have one of the ids.
func (l *launch) networksOf(ctx context.Context, ids []string) (networks, error) {
	for _, id := range ids {
		peer, err := l.attached(ctx, id)
		switch {
		case errdefs.IsNotFound(err): // another engine's id
		case err != nil:
			return networks{}, fmt.Errorf("finding the peer's networks (%s saves the search): %w", networkSetting, err)
		default:
			return l.networksBeside(peer), nil
		}
	}
	switch {
	case len(ids) > 0:
		l.warnOfDefault("the engine does not know the container that the peer runs in")
	case !whereabouts.IsLocal(ctx, l.settings.VM.Endpoint):
		l.warnOfDefault("the engine is on another machine than the peer")
	default:
		return networks{names: []string{"host"}}, nil
	}
	return networks{}, nil
}

func (l *launch) warnOfDefault(reason string) {
	l.log.Warn("the chaincode gets the engine's default network, where it may not find the peer: set "+networkSetting+" to choose",
		"reason", reason, "endpoint", l.settings.VM.Endpoint, "peer_address", l.chaincode.PeerAddress)
}

// attached follows a container that shares the network of another one.
func (l *launch) attached(ctx context.Context, id string) (docker.Attached, error) {
	for range 3 {
		found, err := l.engine.Attached(ctx, id)
		other, shares := strings.CutPrefix(found.Mode, "container:")
		if err != nil || !shares {
			return found, err
		}
		id = other
	}
	return docker.Attached{}, fmt.Errorf("container %q shares the network of one that shares another's", id)
}

// networksBeside are those of the peer's networks that the chaincode needs: the one on which peer_address is the
// peer's, and all only where none is. The others may be there to keep a state database away from everybody else.
func (l *launch) networksBeside(peer docker.Attached) networks {
	if peer.Mode == "host" {
		return networks{names: []string{"host"}}
	}
	if peer.Mode == "none" || len(peer.Endpoints) == 0 {
		l.warnOfDefault("the peer's container has no network of the engine")
		return networks{}
	}
	host := hostOf(l.chaincode.PeerAddress)
	if whereabouts.IsLoopback(host) {
		l.log.Warn("peer_address leads into the chaincode's own container: set peer.chaincodeAddress to a name of the peer", "peer_address", l.chaincode.PeerAddress)
	}
	if known := endpointsOf(peer, host); len(known) > 0 {
		chosen := l.oneOf(peer, known)
		return networks{names: []string{chosen.Network}, hosts: entry(host, chosen)}
	}
	var all networks
	for _, endpoint := range peer.Endpoints {
		if endpoint.Network == "ingress" { // Swarm's own, closed to containers
			continue
		}
		all.names = append(all.names, endpoint.Network)
		if len(all.hosts) == 0 && isNameOf(peer, host) {
			all.hosts = entry(host, endpoint)
		}
	}
	return all
}

// entry makes the peer's name lead to it on networks that resolve none (the engine's own ones, and any of a podman
// without its name server), and to this very peer where several have the same alias.
func entry(host string, peer docker.Endpoint) []string {
	if len(peer.Addresses) == 0 || net.ParseIP(host) != nil {
		return nil
	}
	return []string{host + ":" + peer.Addresses[0]}
}

// endpointsOf are the endpoints on which the peer is found under that host.
func endpointsOf(peer docker.Attached, host string) []docker.Endpoint {
	return slices.DeleteFunc(slices.Clone(peer.Endpoints), func(e docker.Endpoint) bool {
		return !slices.ContainsFunc(slices.Concat(e.Names, e.Addresses), func(name string) bool { return strings.EqualFold(name, host) })
	})
}

// isNameOf says whether the container itself bears that name, whatever its networks make of it.
func isNameOf(peer docker.Attached, host string) bool {
	short, _, _ := strings.Cut(peer.Hostname, ".")
	return slices.ContainsFunc([]string{peer.Name, peer.Hostname, short}, func(name string) bool { return strings.EqualFold(name, host) })
}

// oneOf prefers the network that the peer's container was created with: it is the operator's first.
func (l *launch) oneOf(peer docker.Attached, known []docker.Endpoint) docker.Endpoint {
	if len(known) == 1 {
		return known[0]
	}
	chosen := known[max(0, slices.IndexFunc(known, func(e docker.Endpoint) bool { return e.Network == peer.Mode }))]
	l.log.Info("the peer has its name on several networks, the chaincode gets one of them: set "+networkSetting+" to choose",
		"peer_address", l.chaincode.PeerAddress, "network", chosen.Network)
	return chosen
}

// connect connects a container to the networks beside the one that it was created with.
func (l *launch) connect(ctx context.Context, id string, spec docker.Spec) error {
	for _, name := range spec.Networks {
		if err := l.engine.Connect(ctx, id, name, spec.Aliases); err != nil {
			return err
		}
	}
	return nil
}

// explainNetworks turns the failure of a create or a start into a clear one where a network is the reason. Engines
// report it at different calls, with different statuses and texts, so they are asked instead.
func (l *launch) explainNetworks(ctx context.Context, spec docker.Spec, err error) error {
	if err == nil || errors.Is(err, errTakenOver) || ctx.Err() != nil {
		return err
	}
	if other, shares := strings.CutPrefix(spec.NetworkMode, "container:"); shares {
		if _, inspectErr := l.engine.Attached(ctx, other); errdefs.IsNotFound(inspectErr) {
			return fmt.Errorf("container %q, whose network is set, is not there: see %s (%v)", other, networkSetting, err)
		}
	}
	missing, listErr := l.engine.MissingNetworks(ctx, append([]string{spec.NetworkMode}, spec.Networks...))
	if listErr != nil || len(missing) == 0 {
		return err
	}
	known, listErr := l.engine.Networks(ctx)
	if listErr != nil {
		return err
	}
	// Not %w: the engine's 404 would be taken for a container that has gone.
	return fmt.Errorf("network %s is not there, see %s: the engine has %s (%v)",
		quoted(missing), networkSetting, quoted(known), err)
}

func quoted(names []string) string {
	var all []string
	for _, name := range names {
		all = append(all, fmt.Sprintf("%q", name))
	}
	return strings.Join(all, ", ")
}

// hostOf is the host of an address, without its port.
func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	return host
}
