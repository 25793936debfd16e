// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"fmt"
	"net"
	"strings"

	"github.com/hashicorp/go-hclog"

	"fabric-builder-docker/internal/host"
	"fabric-builder-docker/internal/network"
)

// modeSetting is the key that overrides the choice of a network.
const modeSetting = "vm.docker.hostConfig.NetworkMode"

// checkNetwork shows which networks a chaincode of the peer would get, and why. It returns false if they are not known or not
// there.
func (c *checker) checkNetwork(ctx context.Context) bool {
	if c.address == "" {
		c.note("network", "the peer's address is not known here: add it as ADDRESS (HOST:PORT)")
	}
	said := &messages{}
	log := hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: hclog.Off})
	log.RegisterSink(said)
	chosen, err := network.Choose(ctx, c.engine, log, c.settings, c.address)
	if gone(ctx, err) {
		return false
	}
	if err != nil {
		c.fail("network", err.Error(), "set "+modeSetting+" to the peer's network")
		return false
	}
	c.networks = chosen
	if c.isMissing(ctx) || c.isLoopback(ctx) {
		return false
	}
	for _, message := range said.lines {
		c.note("network", "%s", message)
	}
	c.ok("network", "a chaincode gets %s, %s; it connects to the peer at %s", nameOf(chosen), c.reason(), c.shownAddress())
	return true
}

// isMissing reports whether the engine lacks one of the networks.
func (c *checker) isMissing(ctx context.Context) bool {
	return c.lacks(ctx, c.networks.Names, c.reason(), "create it, or set "+modeSetting+" or builder.networks to one that there is")
}

// lacks reports whether the engine lacks one of some networks, or does not say.
func (c *checker) lacks(ctx context.Context, names []string, reason, remedy string) bool {
	missing, err := c.engine.MissingNetworks(ctx, names)
	switch {
	case gone(ctx, err):
	case err != nil:
		c.fail("network", err.Error(), lookAtLog)
	case len(missing) == 0:
		return false
	default:
		known, _ := c.engine.Networks(ctx)
		c.fail("network", fmt.Sprintf("the engine has no network %s (%s), only %s", strings.Join(missing, ", "), reason, strings.Join(known, ", ")), remedy)
	}
	return true
}

// isLoopback reports whether a chaincode would look for the peer at a loopback that is not the peer's.
func (c *checker) isLoopback(ctx context.Context) bool {
	name, _, err := net.SplitHostPort(c.address)
	if err != nil || !host.IsLoopback(name) {
		return false
	}
	whose, remedy := "which is its own container", "a name of the peer in that network"
	if c.networks.Mode() == network.Host {
		if c.about.Podman || len(c.place.container.IDs) > 0 { // a peer in a container shares that network
			return false
		}
		if rootless, err := c.engine.IsRootless(ctx); err != nil || !rootless { // an engine that does not say is taken for an ordinary one
			return false
		}
		whose, remedy = "which is not this machine, since the engine is rootless", "an address of this machine that is not loopback"
	}
	c.fail("network", fmt.Sprintf("a chaincode on %s would connect to the peer at %s (from %s), %s", nameOf(c.networks), c.address, c.addressSource, whose),
		"set peer.chaincodeAddress (CORE_PEER_CHAINCODEADDRESS) to "+remedy)
	return true
}

func nameOf(chosen network.Networks) string {
	if len(chosen.Names) == 0 {
		return "the engine's default network"
	}
	return "network " + strings.Join(chosen.Names, ", ")
}

// reason returns why a chaincode gets its networks.
func (c *checker) reason() string {
	var set []string
	for _, key := range []string{modeSetting, "builder.networks"} {
		if where := c.settings.Sources.Of(key); where != "" {
			set = append(set, key+" in "+where)
		}
	}
	switch {
	case len(set) > 0:
		return "as " + strings.Join(set, " and ") + " says"
	case len(c.place.container.IDs) > 0:
		return "since the peer's container is there"
	case c.networks.Mode() == network.Host:
		return "since this process runs on the engine's machine"
	}
	return "since nothing says where the peer is"
}

func (c *checker) shownAddress() string {
	if c.address == "" {
		return "an address that is not known here"
	}
	return c.address + " (from " + c.addressSource + ")"
}

// messages collects what is logged.
type messages struct{ lines []string }

// Accept takes one record of a log.
func (m *messages) Accept(_ string, level hclog.Level, message string, args ...any) {
	if level < hclog.Info {
		return
	}
	for i := 0; i+1 < len(args); i += 2 {
		message += fmt.Sprintf(", %v=%v", args[i], args[i+1])
	}
	m.lines = append(m.lines, message)
}
