// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
)

// Attached holds the networks of a container.
type Attached struct {
	ID        string
	Name      string
	Hostname  string // with the domain if there is one
	Mode      string // host, none, container:ID, or the network that the container was created with
	Endpoints []Endpoint
}

// Endpoint connects a container to one network.
type Endpoint struct {
	Network   string
	Names     []string // that the network resolves to the container
	Addresses []string
}

// builtinNetworks are the engines' default networks, which do not resolve names. Podman uses one of the two names in its
// list of networks and the other in its containers' records.
var builtinNetworks = []string{"bridge", "podman"}

// modes are the network modes that are not the name of a network.
var modes = []string{"", "default", "host", "none", "private", "slirp4netns", "pasta"}

// isUserDefined reports whether a network mode is the name of a user-defined network.
func isUserDefined(mode string) bool {
	return IsNetwork(mode) && !slices.Contains(builtinNetworks, mode)
}

// IsNetwork reports whether a network mode is the name of a network. Only networks can be combined: a container with any
// other mode joins none.
func IsNetwork(mode string) bool {
	kind, _, compound := strings.Cut(mode, ":")
	return !slices.Contains(modes, kind) && !(compound && (kind == "container" || kind == "ns"))
}

// Attached returns the networks of a container. Endpoints are sorted by network.
func (e *Engine) Attached(ctx context.Context, id string) (Attached, error) {
	found, err := e.inspect(ctx, id)
	if err != nil {
		return Attached{}, err
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

// endpoint collects the names of an endpoint from several fields: newer engines list all of them, older ones omit the
// container's own names.
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
	if slices.Contains(builtinNetworks, name) {
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

// Networks returns the names of all networks, sorted.
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

// MissingNetworks returns the wanted networks that the engine does not have. A network may also be given by its ID or a
// prefix of it. Built-in networks and other network modes are never missing: some engines do not list them.
func (e *Engine) MissingNetworks(ctx context.Context, wanted []string) ([]string, error) {
	wanted = slices.DeleteFunc(slices.Clone(wanted), func(name string) bool { return !isUserDefined(name) })
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

// Connect connects a container to another network.
func (e *Engine) Connect(ctx context.Context, id, name string, aliases []string) error {
	_, err := finishDespiteCancel(ctx, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, e.api.NetworkConnect(ctx, name, id, &network.EndpointSettings{Aliases: aliasesFor(name, aliases)})
	})
	if err != nil {
		return fmt.Errorf("connecting container %q to network %q: %w", id, name, e.noContainer(ctx, id, err))
	}
	return nil
}

// networking returns the settings of the network that a container is created with. Engines before API 1.44 accept only
// one at creation, so the container joins any others later, on all engines.
func (s Spec) networking() *network.NetworkingConfig {
	aliases := aliasesFor(s.NetworkMode, s.Aliases)
	if len(aliases) == 0 {
		return nil
	}
	return &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{s.NetworkMode: {Aliases: aliases}}}
}

// aliasesFor returns the aliases if the network accepts them: engines reject aliases on built-in networks.
func aliasesFor(name string, aliases []string) []string {
	if !isUserDefined(name) {
		return nil
	}
	return aliases
}
