// SPDX-License-Identifier: Apache-2.0

package host

import (
	"context"
	"net"
	"net/url"
	"slices"
	"time"
)

// lookupTimeout limits the DNS look-up of an engine's host.
const lookupTimeout = 2 * time.Second

// IsLoopback reports whether host is localhost or a loopback address. Inside a container that is the container itself.
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// EngineIsLocal reports whether the engine at endpoint is on this machine: at a Unix socket, or at an address of one of
// the machine's interfaces. If it cannot tell, it returns false.
func EngineIsLocal(ctx context.Context, endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme == "unix" {
		return err == nil
	}
	if IsLoopback(u.Hostname()) {
		return true
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	addresses, _ := net.DefaultResolver.LookupHost(ctx, u.Hostname()) // an address resolves to itself
	return slices.ContainsFunc(addresses, func(address string) bool {
		return slices.ContainsFunc(own, func(a net.Addr) bool {
			network, ok := a.(*net.IPNet)
			return ok && network.IP.Equal(net.ParseIP(address))
		})
	})
}
