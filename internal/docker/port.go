// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"cmp"
	"net"
	"slices"
	"strconv"

	"github.com/docker/go-connections/nat"
)

// Port is a TCP port of a container that is published on the engine's machine.
type Port struct {
	Address  string
	HostPort int // 0: the engine chooses one
	Port     int
}

func (p Port) String() string {
	return net.JoinHostPort(p.Address, strconv.Itoa(p.HostPort)) + "->" + strconv.Itoa(p.Port)
}

func (p Port) key() nat.Port { return nat.Port(strconv.Itoa(p.Port) + "/tcp") }

func (s Spec) exposedPorts() nat.PortSet {
	if len(s.Ports) == 0 {
		return nil
	}
	ports := nat.PortSet{}
	for _, p := range s.Ports {
		ports[p.key()] = struct{}{}
	}
	return ports
}

func (s Spec) portBindings() nat.PortMap {
	if len(s.Ports) == 0 {
		return nil
	}
	bindings := nat.PortMap{}
	for _, p := range s.Ports {
		binding := nat.PortBinding{HostIP: p.Address}
		if p.HostPort > 0 {
			binding.HostPort = strconv.Itoa(p.HostPort)
		}
		bindings[p.key()] = append(bindings[p.key()], binding)
	}
	return bindings
}

// publishedPorts returns the ports that the engine has published, sorted.
func publishedPorts(all nat.PortMap) []Port {
	var ports []Port
	for key, bindings := range all {
		for _, binding := range bindings {
			host, _ := strconv.Atoi(binding.HostPort)
			ports = append(ports, Port{Address: binding.HostIP, HostPort: host, Port: key.Int()})
		}
	}
	slices.SortFunc(ports, func(a, b Port) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Address, b.Address), cmp.Compare(a.HostPort, b.HostPort))
	})
	return ports
}
