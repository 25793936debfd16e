// SPDX-License-Identifier: Apache-2.0

// Package host finds out, without contacting an engine, where this program and therefore the peer runs: whether in a
// container, in which one, and whether the engine is on the same machine.
package host

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Mountinfo is the file that lists the mounts of this process.
const Mountinfo = "/proc/self/mountinfo"

// Container describes the container of this process, as far as its mounts show.
type Container struct {
	Inside bool     // this process runs in a container
	IDs    []string // possible IDs of the container, most likely first; only an engine knows which is right
}

// engineMounts lists files that engines mount into every container, from a directory named after the container's ID.
var engineMounts = []string{"/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/run/.containerenv"}

// containerID matches the full ID of a container.
var containerID = regexp.MustCompile(`^[0-9a-f]{64}$`)

// ReadContainer reads a file such as [Mountinfo]. If the file does not exist, it returns the zero Container: such a system
// has no containers.
func ReadContainer(mountinfo string) (Container, error) {
	file, err := os.Open(mountinfo)
	if errors.Is(err, os.ErrNotExist) {
		return Container{}, nil
	}
	if err != nil {
		return Container{}, err
	}
	defer file.Close()
	return readContainer(file)
}

// readContainer parses proc_pid_mountinfo(5): the fourth field is the path inside the mounted file system, the fifth is
// the mount point. Cgroups do not help, because with version 2 a container does not see its own path.
func readContainer(mountinfo io.Reader) (Container, error) {
	var found Container
	lines := bufio.NewReader(mountinfo) // a line may be too long for a Scanner
	for {
		line, err := lines.ReadString('\n')
		if fields := strings.Fields(line); len(fields) > 4 && slices.Contains(engineMounts, fields[4]) {
			found.Inside = true
			if id := idIn(fields[3]); id != "" && !slices.Contains(found.IDs, id) {
				found.IDs = append(found.IDs, id)
			}
		}
		if err == io.EOF {
			return found, nil
		}
		if err != nil {
			return Container{}, err
		}
	}
}

// idIn returns the innermost directory of a path that is a container ID, or an empty string. Outer ones may belong to an
// engine that itself runs in a container.
func idIn(name string) string {
	for name = path.Dir(name); name != "/" && name != "."; name = path.Dir(name) {
		if base := path.Base(name); containerID.MatchString(base) {
			return base
		}
	}
	return ""
}
