package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"fabric-builder-docker/internal/host"
)

// coreFile is the peer's own settings file.
const coreFile = "core.yaml"

// coreDirs are where a peer's core.yaml is when $FABRIC_CFG_PATH, which the peer does not pass on by itself, says
// nothing: Fabric's test network mounts the first, the official image has the second.
var coreDirs = []string{"/etc/hyperledger/peercfg", "/etc/hyperledger/fabric"}

// loadCore reads the first core.yaml that can be read. Most of it is the peer's business.
func (l *loader) loadCore(environ []string) error {
	dirs := coreDirs
	if dir := Lookup(environ, "FABRIC_CFG_PATH"); dir != "" {
		dirs = append([]string{dir}, dirs...)
	}
	for _, dir := range dirs {
		path := filepath.Join(dir, coreFile)
		document, err := read(path)
		switch {
		case errors.Is(err, fs.ErrPermission):
			l.warnings = append(l.warnings, fmt.Sprintf("%s: permission denied: nothing of it is used", path))
			continue
		case err != nil:
			return err
		case document == nil:
			continue
		}
		l.base = dir
		return l.take(path, ourSections(document), decoder{dir: dir, core: true, inContainer: inContainer()})
	}
	return nil
}

// ourSections are those of core.yaml that hold keys of ours. It has no builder section: one that somebody has put
// there is not read by the peer either.
func ourSections(document any) any {
	sections, ok := document.(map[string]any)
	if !ok {
		return document
	}
	ours := map[string]any{}
	for name, section := range sections {
		if !strings.EqualFold(name, "builder") {
			ours[name] = section
		}
	}
	return ours
}

// shipped says whether core.yaml holds what Fabric ships. That counts as not set: the real values often stand in
// variables that only the peer has. Taken literally, every peer would be dev-jdoe, a peer in a container would have
// its chaincodes on the host's network, out of its reach, and nobody would see what a chaincode prints.
func shipped(name string, value any, inContainer bool) bool {
	switch name {
	case "peer.id":
		return value == "jdoe"
	case "peer.networkId":
		return value == "dev"
	case "vm.endpoint":
		return value == "unix:///var/run/docker.sock"
	case "vm.docker.attachStdout":
		return value == false
	case "vm.docker.hostConfig.NetworkMode":
		return value == "host" && inContainer
	}
	return false
}

// mountinfo lists this process's mounts. A variable for tests.
var mountinfo = host.Mountinfo

// inContainer reports whether this program, and so the peer that has started it, runs in a container.
func inContainer() bool {
	found, err := host.ReadContainer(mountinfo)
	return err == nil && found.Inside
}
