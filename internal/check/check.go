// SPDX-License-Identifier: Apache-2.0

// Package check finds out what is wrong with an installation of this builder: its programs, the settings, the engine and what a
// proxy in front of it refuses, base images, networks, disk space and caches; and, in a container of its own, whether a chaincode
// would reach the peer. Each finding is a line that says what to do.
//
// Nothing on the engine is changed. Where only a container can tell something, one is created that is never started, and removed;
// the probe's container runs for a moment, and is removed too.
//
//	report.go    findings, as lines or JSON
//	install.go   programs, settings, the peer, directories with builds
//	files.go     files, directories and networks that settings name
//	engine.go    the engine, its socket, and the calls that it takes
//	images.go    base images
//	volumes.go   caches, disk space
//	network.go   the networks of a chaincode
//	probe.go     a container that reaches for the peer
//	dial.go      what that container runs
package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"

	"fabric-builder-docker/internal/baseimage"
	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/engine"
	"fabric-builder-docker/internal/host"
	"fabric-builder-docker/internal/network"
)

// Load reads the settings as the program does that is checked: build looks at the peer for the version of Fabric, and run does
// not, so that it need not link what reads executables.
type Load func(dir string, environ []string) (config.Settings, error)

// Engine lists the calls of a container engine that this package needs.
type Engine interface {
	network.Engine
	baseimage.Engine
	baseimage.Registries
	Describe(ctx context.Context) (docker.Description, error)
	RefusedCalls(ctx context.Context) ([]docker.RefusedCall, error)
	RootDir(ctx context.Context) (string, error)
	IsRootless(ctx context.Context) (bool, error)
	Volumes(ctx context.Context, label string) ([]docker.Volume, error)
	Upload(ctx context.Context, id, dir string, archive io.Reader) error
	Connect(ctx context.Context, id, network string, aliases []string) error
	Attach(ctx context.Context, id string, input []byte) (*docker.Output, error)
	Wait(ctx context.Context, id string) (<-chan docker.Exit, error)
	Start(ctx context.Context, id string) error
}

// Commands returns the commands of a program that load serves. Base images, caches and the version of Fabric are checked only if
// the program builds.
func Commands(load Load, builds bool) []cli.Command {
	return []cli.Command{
		{
			Option: "--check", Arguments: "[--json] [--probe] [ADDRESS] [OUTPUT_DIR ...]",
			Flags: []cli.Flag{{Name: "--json"}, {Name: "--probe"}},
			Phase: func(ctx context.Context, process cli.Process) error { return run(ctx, process, load, builds) },
			Summary: "find out what is wrong, and say what to do: settings, engine, images, networks, disk.\n" +
				"Call it beside the peer (docker exec). --probe also reaches for the peer from a container,\n" +
				"at ADDRESS (HOST:PORT) or where the peer's settings say. Exit status 0: all is well",
		},
		{Option: dialOption, Phase: dial},
	}
}

// checker holds what the checks share.
type checker struct {
	*report
	process cli.Process
	builds  bool
	load    Load
	place   place

	settings      config.Settings
	environ       []string // what the peer passes on to this program
	address       string   // of the peer, for chaincodes; empty: not known
	addressSource string
	outputs       []string // directories with builds

	engine   Engine
	about    docker.Description
	refused  map[string]bool // calls
	networks network.Networks
	diskSeen bool
}

// place is what tests replace.
type place struct {
	free       func(path string) (space, error)
	writable   func(dir string) bool
	container  host.Container
	executable string // what the probe's container runs
}

func run(ctx context.Context, process cli.Process, load Load, builds bool) error {
	_, asJSON := process.Flags["--json"]
	_, probing := process.Flags["--probe"]
	container, _ := host.ReadContainer(host.Mountinfo)
	executable, _ := os.Executable()
	c := &checker{
		report: &report{out: process.Stdout, json: asJSON}, process: process, builds: builds, load: load,
		place: place{free: freeSpace, writable: isWritable, container: container, executable: executable},
	}
	if err := c.readArguments(); err != nil {
		return err
	}
	c.checkAll(ctx, probing)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return c.finish()
}

// readArguments tells the peer's address from directories with builds: a directory has no port.
func (c *checker) readArguments() error {
	for _, argument := range c.process.Args {
		_, port, err := net.SplitHostPort(argument)
		number, portErr := strconv.ParseUint(port, 10, 16)
		switch isAddress := err == nil && portErr == nil && number > 0 && !strings.Contains(argument, "/"); {
		case !isAddress && !isDir(argument):
			return fmt.Errorf("argument %q is neither HOST:PORT, the address of the peer, nor a directory with a build", argument)
		case !isAddress:
			c.outputs = append(c.outputs, argument)
		case c.address != "":
			return fmt.Errorf("unexpected argument %q: --check takes one ADDRESS", argument)
		default:
			c.address, c.addressSource = argument, "the argument"
		}
	}
	return nil
}

// checkAll makes all checks that are possible: without settings, the engine is not known; without an engine, nothing on it is.
func (c *checker) checkAll(ctx context.Context, probing bool) {
	c.checkPrograms()
	loaded := c.checkSettings()
	c.checkOutputs()
	if !loaded {
		c.note("engine", "not checked, nor what is on it, since the settings cannot be read")
		return
	}
	c.checkPeer()
	c.checkFiles()
	c.checkSocket()
	connected, err := engine.Connect(ctx, c.settings)
	if err != nil {
		c.fail("engine", err.Error(), c.remedyForEngine(err))
		c.note("images", "not checked, nor networks, caches and disk space, since no engine answers")
		return
	}
	defer connected.Close()
	c.engine = connected
	if c.checkEngine(ctx) {
		c.checkOnEngine(ctx, probing)
	}
}

// checkOnEngine checks what is on the engine.
func (c *checker) checkOnEngine(ctx context.Context, probing bool) {
	c.checkCalls(ctx)
	c.checkImages(ctx)
	c.checkInit(ctx)
	if c.builds {
		c.checkCaches(ctx)
	}
	c.checkDisk(ctx)
	c.checkOtherNetworks(ctx)
	chosen := c.checkNetwork(ctx)
	switch {
	case probing && !chosen:
		c.note("probe", "not made, since the networks of a chaincode are not known")
	case probing:
		c.probe(ctx)
	}
	if !c.diskSeen {
		c.note("disk", "unknown: the engine's machine is another one than this, or its directory is not seen from here. --probe looks from a container")
	}
}

// gone reports whether an error only says that the check itself is being stopped.
func gone(ctx context.Context, err error) bool {
	return err != nil && ctx.Err() != nil && !errors.Is(err, docker.ErrNoImage)
}
