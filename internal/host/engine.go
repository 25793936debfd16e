package host

import (
	"context"
	"net"
	"net/url"
	"slices"
	"time"
)

// lookupTime bounds the look-up of an engine's name.
const lookupTime = 2 * time.Second

// IsLoopback reports whether a host is this machine, as long as nobody asks from inside a container.
func IsLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// EngineIsLocal reports whether an engine is on this machine: behind a socket, or at an address of one of its interfaces.
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
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	addresses, _ := net.DefaultResolver.LookupHost(ctx, u.Hostname()) // an address resolves to itself
	return slices.ContainsFunc(addresses, func(address string) bool {
		return slices.ContainsFunc(own, func(a net.Addr) bool {
			network, ok := a.(*net.IPNet)
			return ok && network.IP.Equal(net.ParseIP(address))
		})
	})
}
