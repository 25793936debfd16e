// SPDX-License-Identifier: Apache-2.0

package metadata

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"unicode"
)

const (
	maxSocketPath = 107 // longest path of a socket in bytes: sun_path of unix(7)
	maxHost       = 253 // longest name of a host in bytes, and of one of its labels: RFC 1035
	maxLabelOfDNS = 63
	maxZone       = 15 // longest name of a network interface in bytes: IFNAMSIZ
)

// errAddress does not hold the address, which may contain an operator's values.
var errAddress = errors.New("expected host:port, or dns:///host:port, passthrough:///host:port, unix:/path or unix-abstract:name")

// checkAddress returns an error unless a peer can dial the address. The forms are those of gRPC for Go, which the peer uses: a
// URL with one of its schemes, or else host:port. It has no schemes ipv4 and ipv6, unlike gRPC for other languages.
func checkAddress(address string) error {
	endpoint, valid := address, isHostPort
	if target, err := url.Parse(address); err == nil {
		switch target.Scheme {
		case "unix", "unix-abstract":
			endpoint, valid = target.Path+target.Opaque, isSocket
		case "dns":
			endpoint, valid = strings.TrimPrefix(target.Path, "/")+target.Opaque, isDNSName
		case "passthrough":
			endpoint = strings.TrimPrefix(target.Path, "/") + target.Opaque
		default:
			target = &url.URL{}
		}
		hasServer := target.Scheme == "dns" && isDNSName(target.Host) // dns://SERVER/host:port
		hasMore := target.User != nil || target.ForceQuery || target.RawQuery != "" || target.Fragment != ""
		if target.Host != "" && !hasServer || hasMore {
			return errAddress
		}
	}
	if !valid(endpoint) {
		return errAddress
	}
	return nil
}

// isHostPort reports whether an endpoint is host:port. Without a host, gRPC dials this machine.
func isHostPort(endpoint string) bool {
	host, port, err := net.SplitHostPort(endpoint)
	if err != nil || host != "" && !isHost(host) {
		return false
	}
	number, err := net.LookupPort("tcp", port) // also a service's name, as for the peer
	return err == nil && port != "" && number > 0
}

// isDNSName reports whether an endpoint is host or host:port. Without a port, gRPC takes 443.
func isDNSName(endpoint string) bool {
	return isHostPort(endpoint) || isHost(strings.TrimSuffix(strings.TrimPrefix(endpoint, "["), "]"))
}

// isHost reports whether host is an IP address or looks like a name of a host. Names in Docker networks may have underscores.
func isHost(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return len(ip.Zone()) <= maxZone && !strings.ContainsFunc(host, isUnprintable)
	}
	if len(host) > maxHost {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(host, "."), ".") {
		if label == "" || len(label) > maxLabelOfDNS || strings.ContainsFunc(label, isNotInNames) {
			return false
		}
	}
	return true
}

func isNotInNames(r rune) bool {
	return r != '-' && r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
}

func isSocket(endpoint string) bool {
	return endpoint != "" && len(endpoint) <= maxSocketPath && !strings.HasSuffix(endpoint, "/") &&
		!strings.ContainsFunc(endpoint, isUnprintable)
}

func isUnprintable(r rune) bool { return !unicode.IsPrint(r) }
