// Package whereabouts finds out where a program of ours runs, which is where the peer runs: in which container, and
// whether an engine is on the same machine.
package whereabouts

import (
	"context"
	"net"
	"net/url"
	"slices"
	"time"
)

// lookupTime bounds the look-up of an engine's name.
const lookupTime = 2 * time.Second

// IsLoopback says whether a host is this machine, as long as nobody asks from inside a container.
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// IsLocal says whether an engine is on this machine: behind a socket, or at an address of one of its interfaces.
func IsLocal(ctx context.Context, endpoint string) bool {
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
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	addresses, _ := net.DefaultResolver.LookupHost(ctx, u.Hostname()) // an address is its own answer
	return slices.ContainsFunc(addresses, func(address string) bool {
		return slices.ContainsFunc(own, func(a net.Addr) bool {
			network, ok := a.(*net.IPNet)
			return ok && network.IP.Equal(net.ParseIP(address))
		})
	})
}
