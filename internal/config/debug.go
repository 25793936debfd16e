// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Debug lets an operator look into some chaincodes. Every launch that uses any of it says so.
type Debug struct {
	Ports    []string `key:"ports"`    // published ports, see [Port]
	Command  []string `key:"command"`  // in place of the image's entrypoint and command; TLS files are still delivered
	LogLevel string   `key:"logLevel"` // as Logging.Level and Logging.Shim
	Keep     bool     `key:"keep"`     // the container stays after its end, until the next run
}

// Debugging is what the overrides of one package turn on.
type Debugging struct {
	Debug
	By []string // the overrides, as errors name them; empty: debugging is off
}

func (d Debug) isSet() bool { return len(d.Ports)+len(d.Command) > 0 || d.LogLevel != "" || d.Keep }

// with returns the debugging with that of one more override: what it sets wins.
func (d Debugging) with(name string, more Debug) Debugging {
	if !more.isSet() {
		return d
	}
	d.By = append(d.By[:len(d.By):len(d.By)], name)
	if len(more.Ports) > 0 {
		d.Ports = more.Ports
	}
	if len(more.Command) > 0 {
		d.Command = more.Command
	}
	if more.LogLevel != "" {
		d.LogLevel = more.LogLevel
	}
	d.Keep = d.Keep || more.Keep
	return d
}

// check refuses values that make no sense.
func (d Debug) check(name string) error {
	for _, text := range d.Ports {
		if _, ok := parsePort(text); !ok {
			return invalid(name+"ports", text, portAllowed)
		}
	}
	if len(d.Command) > 0 && d.Command[0] == "" {
		return fmt.Errorf("%scommand: the first entry is empty: expected a program, then its arguments", name)
	}
	if d.LogLevel != "" && peerLevels[d.LogLevel] == "" {
		return invalid(name+"logLevel", d.LogLevel, "debug, info, warn, error, panic or fatal")
	}
	return nil
}

// Port is a port of a chaincode's container that the engine publishes on its machine.
type Port struct {
	Address  string // of the engine's machine
	HostPort int    // 0: the engine chooses one
	Port     int
}

const portAllowed = "PORT, HOST_PORT:PORT, ADDRESS:HOST_PORT:PORT or ADDRESS::PORT, where ADDRESS is an IP address, in brackets if it is IPv6, and ports are 1 to 65535"

// loopback is where ports are published that name no address: whoever reaches a debugger controls the chaincode.
const loopback = "127.0.0.1"

// PublishedPorts returns the ports. They have been checked.
func (d Debug) PublishedPorts() []Port {
	var ports []Port
	for _, text := range d.Ports {
		port, _ := parsePort(text)
		ports = append(ports, port)
	}
	return ports
}

// parsePort reads a port in the notation of docker run, but without names of protocols and ranges.
func parsePort(text string) (Port, bool) {
	before, last, several := cutLast(text)
	port := Port{Address: loopback, Port: number(last)}
	if !several {
		port.HostPort = port.Port
		return port, port.Port > 0
	}
	address, hostPort, hasAddress := cutLast(before)
	port.HostPort = number(hostPort)
	if !hasAddress {
		return port, port.Port > 0 && port.HostPort > 0
	}
	if bracketed, ok := strings.CutPrefix(address, "["); ok {
		address = strings.TrimSuffix(bracketed, "]")
	}
	parsed, err := netip.ParseAddr(address)
	port.Address = parsed.String()
	return port, err == nil && parsed.Zone() == "" && port.Port > 0 && (port.HostPort > 0 || hostPort == "")
}

// cutLast cuts text around its last colon.
func cutLast(text string) (before, after string, found bool) {
	i := strings.LastIndex(text, ":")
	if i < 0 {
		return "", text, false
	}
	return text[:i], text[i+1:], true
}

// number returns the number of a port, or 0 if there is none.
func number(text string) int {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return 0
	}
	return int(n)
}
