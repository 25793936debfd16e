// Package host says what this program can tell, on its own, of where it runs, which is where the peer runs: whether in a
// container, in which one, and whether an engine is on the same machine.
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

// Mountinfo lists this process's mounts.
const Mountinfo = "/proc/self/mountinfo"

// Container is what the mounts tell of the container of this process.
type Container struct {
	Inside bool     // this process runs in a container
	IDs    []string // IDs that the container may have, likeliest first; only an engine can tell which is right
}

// mounted are the files that engines mount into each container, from a directory of theirs that is named by its ID.
var mounted = []string{"/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/run/.containerenv"}

// containerID is the full ID of a container, as a directory's name.
var containerID = regexp.MustCompile(`^[0-9a-f]{64}$`)

// ReadContainer reads a file such as [Mountinfo]. A system without it has no containers.
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

// readContainer parses mountinfo(5): the fourth field is the path inside the mounted file system, the fifth where it is
// mounted. Cgroups do not help: with version 2 a container does not see its own path.
func readContainer(mountinfo io.Reader) (Container, error) {
	var found Container
	lines := bufio.NewReader(mountinfo) // a line may be longer than a Scanner takes
	for {
		line, err := lines.ReadString('\n')
		if fields := strings.Fields(line); len(fields) > 4 && slices.Contains(mounted, fields[4]) {
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

// idIn returns the innermost directory of a path that is named like a container: outer ones may be volumes, where an
// engine itself runs in a container.
func idIn(name string) string {
	for name = path.Dir(name); name != "/" && name != "."; name = path.Dir(name) {
		if base := path.Base(name); containerID.MatchString(base) {
			return base
		}
	}
	return ""
}
