package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"fabric-builder-docker/internal/host"
)

// coreFile is the name of the peer's configuration file.
const coreFile = "core.yaml"

// coreDirs lists the directories that are searched for core.yaml after $FABRIC_CFG_PATH, which the peer does not pass to
// builders by default. Fabric's test network mounts the first; the official image has the second.
var coreDirs = []string{"/etc/hyperledger/peercfg", "/etc/hyperledger/fabric"}

// loadCore reads the first core.yaml that this user may read. Keys in it that are not settings of this builder are
// skipped.
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
			l.warnings = append(l.warnings, fmt.Sprintf("%s: permission denied: the file is ignored", path))
			continue
		case err != nil:
			return err
		case document == nil:
			continue
		}
		l.base = dir
		return l.apply(path, withoutBuilder(document), decoder{dir: dir, core: true, inContainer: inContainer()})
	}
	return nil
}

// withoutBuilder returns a core.yaml document without its builder section, which is not part of core.yaml: the peer does
// not read it either.
func withoutBuilder(document any) any {
	sections, ok := document.(map[string]any)
	if !ok {
		return document
	}
	kept := map[string]any{}
	for name, section := range sections {
		if !strings.EqualFold(name, "builder") {
			kept[name] = section
		}
	}
	return kept
}

// isFabricDefault reports whether core.yaml holds the value that Fabric ships, which counts as not set: the real value is
// often in a variable that only the peer has. Taken literally, the shipped values would name every peer dev-jdoe,
// hide the output of chaincodes, and run the chaincodes of a peer in a container on the host's network, from where they
// cannot reach the peer.
func isFabricDefault(name string, value any, inContainer bool) bool {
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

// mountinfo is the file that lists the mounts of this process. It is a variable for tests.
var mountinfo = host.Mountinfo

// inContainer reports whether this program, and therefore the peer that started it, runs in a container.
func inContainer() bool {
	found, err := host.ReadContainer(mountinfo)
	return err == nil && found.Inside
}
