package docker

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
)

// Attached is how a container is connected.
type Attached struct {
	ID        string
	Name      string
	Hostname  string // with the domain where there is one
	Mode      string // host, none, container:ID, or the network that it was created with
	Endpoints []Endpoint
}

// Endpoint is a container's place in one network.
type Endpoint struct {
	Network   string
	Names     []string // under which others of that network find the container
	Addresses []string
}

// unnamed are the networks that engines have by themselves; podman's has one name in its list and another one in its
// containers. Names are not resolved there.
var unnamed = []string{"bridge", "podman"}

// modes are what a network mode can be without any network.
var modes = []string{"", "default", "host", "none", "private", "slirp4netns", "pasta"}

// isMade says whether a network mode is the name of a network that somebody has made, rather than something that every
// engine has or that belongs to another container.
func isMade(mode string) bool { return IsNetwork(mode) && !slices.Contains(unnamed, mode) }

// IsNetwork says whether a network mode is a network, of which a container may have several.
func IsNetwork(mode string) bool {
	kind, _, compound := strings.Cut(mode, ":")
	return !slices.Contains(modes, kind) && !(compound && (kind == "container" || kind == "ns"))
}

// Attached looks up how a container is connected. Endpoints are sorted by network.
func (e *Engine) Attached(ctx context.Context, id string) (Attached, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := e.api.ContainerInspect(ctx, id)
	if err != nil {
		return Attached{}, fmt.Errorf("inspecting container %q: %w", id, err)
	}
	result := Attached{ID: found.ID, Name: strings.TrimPrefix(found.Name, "/")}
	if found.HostConfig != nil {
		result.Mode = string(found.HostConfig.NetworkMode)
	}
	if found.Config != nil {
		result.Hostname = found.Config.Hostname
		if found.Config.Domainname != "" {
			result.Hostname += "." + found.Config.Domainname
		}
	}
	if found.NetworkSettings != nil {
		for name, settings := range found.NetworkSettings.Networks {
			result.Endpoints = append(result.Endpoints, result.endpoint(name, settings, found.Config))
		}
	}
	slices.SortFunc(result.Endpoints, func(a, b Endpoint) int { return strings.Compare(a.Network, b.Network) })
	return result, nil
}

// endpoint gathers what engines say in several places: newer ones list all names of an endpoint, older ones leave out
// the container's own.
func (a Attached) endpoint(name string, settings *network.EndpointSettings, config *container.Config) Endpoint {
	endpoint := Endpoint{Network: name}
	if settings == nil {
		return endpoint
	}
	for _, address := range []string{settings.IPAddress, settings.GlobalIPv6Address} {
		if address != "" {
			endpoint.Addresses = append(endpoint.Addresses, address)
		}
	}
	if slices.Contains(unnamed, name) {
		return endpoint
	}
	names := slices.Concat(settings.DNSNames, settings.Aliases, []string{a.Name, a.Hostname})
	if config != nil {
		names = append(names, config.Hostname)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	endpoint.Names = slices.DeleteFunc(names, func(name string) bool { return name == "" })
	return endpoint
}

// Networks are the names of all networks, sorted.
func (e *Engine) Networks(ctx context.Context) ([]string, error) {
	found, err := e.networks(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, n := range found {
		names = append(names, n.Name)
	}
	slices.Sort(names)
	return names, nil
}

// MissingNetworks are those of the names that are no networks of the engine. What every engine has is not looked for:
// some do not list it. A network may also be named by its id, or the beginning of it.
func (e *Engine) MissingNetworks(ctx context.Context, wanted []string) ([]string, error) {
	wanted = slices.DeleteFunc(slices.Clone(wanted), func(name string) bool { return !isMade(name) })
	if len(wanted) == 0 {
		return nil, nil
	}
	found, err := e.networks(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(wanted, func(name string) bool {
		return slices.ContainsFunc(found, func(n network.Summary) bool { return n.Name == name || strings.HasPrefix(n.ID, name) })
	}), nil
}

func (e *Engine) networks(ctx context.Context) ([]network.Summary, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := e.api.NetworkList(ctx, network.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing networks: %w", err)
	}
	return found, nil
}

// Connect connects a container to one more network.
func (e *Engine) Connect(ctx context.Context, id, name string, aliases []string) error {
	_, err := settle(ctx, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, e.api.NetworkConnect(ctx, name, id, &network.EndpointSettings{Aliases: scoped(name, aliases)})
	})
	if err != nil {
		return fmt.Errorf("connecting container %q to network %q: %w", id, name, err)
	}
	return nil
}

// networking is the network that a container is created with: the first. Engines before API 1.44 take one only, so the
// others are connected afterwards on all of them.
func (s Spec) networking() *network.NetworkingConfig {
	aliases := scoped(s.NetworkMode, s.Aliases)
	if len(aliases) == 0 {
		return nil
	}
	return &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{s.NetworkMode: {Aliases: aliases}}}
}

// scoped are the aliases as far as the network takes any: engines refuse them on their own networks.
func scoped(name string, aliases []string) []string {
	if !isMade(name) {
		return nil
	}
	return aliases
}
