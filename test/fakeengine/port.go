// SPDX-License-Identifier: Apache-2.0

package fakeengine

import (
	"net/http"
	"strconv"
)

// binding is an address and a port of the engine's machine.
type binding struct {
	HostIP   string `json:"HostIp"`
	HostPort string
}

// ports are those of a container that are published.
type ports map[string][]binding

// firstPort is where the engine begins to look for a free port.
const firstPort = 49153

// published returns the ports that a running container has on the engine's machine. The caller holds the lock.
func (c *container) published() ports {
	if c.status != "running" {
		return ports{}
	}
	return c.config.HostConfig.PortBindings
}

// publish publishes the ports of a container that is about to start. If one is in use, it answers as Docker does. The host's
// network has no ports to publish: Docker ignores them. The caller holds the lock.
func (c *Call) publish(found *container) bool {
	if found.config.HostConfig.NetworkMode == "host" {
		found.config.HostConfig.PortBindings = nil
	}
	used := map[binding]bool{}
	for _, other := range c.engine.containers {
		for _, bindings := range other.published() {
			for _, b := range bindings {
				used[b] = true
			}
		}
	}
	for _, bindings := range found.config.HostConfig.PortBindings {
		for i, b := range bindings {
			for port := firstPort; bindings[i].HostPort == ""; port++ {
				if b.HostPort = strconv.Itoa(port); !used[b] {
					bindings[i] = b
				}
			}
			if used[bindings[i]] {
				c.fail(http.StatusInternalServerError, "driver failed programming external connectivity on endpoint %s (0123): Bind for %s:%s failed: port is already allocated",
					found.name, b.HostIP, b.HostPort)
				return false
			}
		}
	}
	return true
}
