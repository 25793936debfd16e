// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"fabric-builder-docker/internal/host"
)

// coreFile is the name of the peer's configuration file.
const coreFile = "core.yaml"

// coreDirs lists the directories that are searched for core.yaml after $FABRIC_CFG_PATH, which the peer does not pass to
// builders by default. Fabric's test network mounts the first; the official image has the second.
var coreDirs = []string{"/etc/hyperledger/peercfg", "/etc/hyperledger/fabric"}

// loadCore reads the first core.yaml that this user may read. Keys in it that are not settings of this builder are
// skipped. The peer starts with wrong values too, so they are warnings: see tolerate.
func (l *loader) loadCore(environ []string) error {
	for _, dir := range coreDirsOf(environ) {
		path := filepath.Join(dir, coreFile)
		document, err := l.readCore(path)
		switch {
		case errors.Is(err, fs.ErrPermission):
			l.warnings = append(l.warnings, fmt.Sprintf("%s: permission denied: the file is ignored", path))
			l.settings.Sources.Unreadable = append(l.settings.Sources.Unreadable, path)
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

// readCore parses core.yaml. If it sets a key twice, the last one counts, as for peers up to 2.5.
func (l *loader) readCore(path string) (any, error) {
	document, err := read(path)
	if err == nil || errors.Is(err, fs.ErrPermission) {
		return document, err
	}
	data, readErr := readBytes(path)
	if readErr != nil || yaml.Unmarshal(data, &document) != nil {
		return nil, err
	}
	_, reason, _ := strings.Cut(err.Error(), "unmarshal errors: ")
	l.warnings = append(l.warnings, fmt.Sprintf("%s: %s: the last one counts (peers from 3.0 on refuse the file)", path, reason))
	return document, nil
}

// tolerate notes a wrong value in core.yaml, which leaves the value of the key as it is.
func (l *loader) tolerate(path string, key Key, err error) {
	l.tolerated[key.Name] = fmt.Sprintf("%s: %v; %s", path, err, key.inUse())
}

// minStartupTimeout is what the peer raises a shorter chaincode.startuptimeout to.
const minStartupTimeout = 5 * time.Second

// peerTimeout returns what the peer makes of chaincode.startuptimeout: a number without a unit stands for nanoseconds, and
// what is no duration for none.
func peerTimeout(value any) time.Duration {
	var timeout time.Duration
	switch value := value.(type) {
	case float64:
		timeout = time.Duration(value)
	case string:
		if nanoseconds, err := strconv.ParseInt(value, 10, 64); err == nil {
			timeout = time.Duration(nanoseconds)
		} else if parsed, err := time.ParseDuration(value); err == nil {
			timeout = parsed
		}
	}
	return max(timeout, minStartupTimeout)
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
