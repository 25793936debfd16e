package whereabouts

import (
	"bufio"
	"io"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

// mountinfoFile lists this process's mounts.
const mountinfoFile = "/proc/self/mountinfo"

// mounted are the files that engines mount into each container, from a directory of theirs that bears its id.
var mounted = []string{"/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/run/.containerenv"}

// containerID is the full id of a container, as a directory's name.
var containerID = regexp.MustCompile(`^[0-9a-f]{64}$`)

// OwnContainer is what the mounts say of the container of this process: ids that it may have, likeliest first. There
// are none on a host. Whether one is right only the engine can tell: other engines write ids of the same form.
func OwnContainer() ([]string, error) {
	file, err := os.Open(mountinfoFile)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return containerIDs(file)
}

// containerIDs reads mountinfo(5): the fourth field is the path inside the mounted file system, the fifth where it is
// mounted. The cgroups are of no use: with version 2 a container does not see its own path.
func containerIDs(mountinfo io.Reader) ([]string, error) {
	var ids []string
	lines := bufio.NewReader(mountinfo) // a line may be longer than a scanner takes
	for {
		line, err := lines.ReadString('\n')
		if fields := strings.Fields(line); len(fields) > 4 && slices.Contains(mounted, fields[4]) {
			if id := idIn(fields[3]); id != "" && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
		if err == io.EOF {
			return ids, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// idIn is the innermost directory of a path that is called like a container: outer ones may be volumes, where an engine
// runs in a container itself.
func idIn(name string) string {
	for name = path.Dir(name); name != "/" && name != "."; name = path.Dir(name) {
		if base := path.Base(name); containerID.MatchString(base) {
			return base
		}
	}
	return ""
}
