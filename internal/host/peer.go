// SPDX-License-Identifier: Apache-2.0

package host

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
)

// Proc is where the kernel shows the processes.
const Proc = "/proc"

// Peer is a peer process, and what the build info of its executable says.
type Peer struct {
	PID       int
	Version   string // of Fabric, MAJOR.MINOR or MAJOR.MINOR.PATCH; empty: not recorded
	Namespace string // of the Docker images of that release; empty: not recorded
	Go        string // version of Go that built it
}

// ErrNoPeer is returned if no process is a peer.
var ErrNoPeer = errors.New("no peer process was found")

// maxAncestors bounds the way up, in case proc is no real one.
const maxAncestors = 100

// FindPeer returns the peer that this program works for: the nearest ancestor that is a peer, since a wrapper script may be
// between, otherwise the only peer node among the processes of proc, since an operator calls build beside the peer. Several
// of the same version and namespace count as one. The error is an [ErrNoPeer], or says why the peer cannot be told or read.
func FindPeer(proc string) (Peer, error) {
	peer, err := peerAmongAncestors(proc)
	if errors.Is(err, ErrNoPeer) {
		return onlyPeer(proc)
	}
	return peer, err
}

func peerAmongAncestors(proc string) (Peer, error) {
	pid := "self"
	for range maxAncestors {
		child, err := readStatus(proc, pid)
		if err != nil || child.parent == "0" {
			break
		}
		pid = child.parent
		if peer, err := readPeer(proc, pid); !errors.Is(err, ErrNoPeer) {
			return peer, err
		}
	}
	return Peer{}, ErrNoPeer
}

// onlyPeer looks through the processes of this PID namespace. Those of other containers, which a host sees too, do not count:
// a chaincode could run a program that looks like a peer and names images of its own.
func onlyPeer(proc string) (Peer, error) {
	entries, err := os.ReadDir(proc)
	if err != nil {
		return Peer{}, ErrNoPeer
	}
	var found []Peer
	for _, entry := range entries {
		pid := entry.Name()
		if _, err := strconv.Atoi(pid); err != nil || !isNode(proc, pid) {
			continue
		}
		peer, err := readPeer(proc, pid)
		switch {
		case errors.Is(err, ErrNoPeer):
			continue
		case err != nil:
			return Peer{}, err
		}
		found = append(found, peer)
	}
	if len(found) == 0 {
		return Peer{}, ErrNoPeer
	}
	for _, other := range found[1:] {
		if other.Version != found[0].Version || other.Namespace != found[0].Namespace {
			return Peer{}, fmt.Errorf("peers of different versions run here: process %d is %q, process %d is %q",
				found[0].PID, found[0].Version, other.PID, other.Version)
		}
	}
	return found[0], nil
}

// isNode reports whether a process of this PID namespace may be a peer node: the peer's other commands have the same
// executable. Arguments are cheaper to read than executables.
func isNode(proc, pid string) bool {
	arguments, err := os.ReadFile(filepath.Join(proc, pid, "cmdline"))
	if err != nil || !slices.Contains(strings.Split(string(arguments), "\x00")[1:], "node") {
		return false
	}
	s, err := readStatus(proc, pid)
	return err == nil && !s.nested
}

// readPeer reads a process's executable. It returns an ErrNoPeer if that is something else than a peer. One that may not be
// read is taken for a peer by the name of the process: the kernel hides that of a peer with file capabilities.
func readPeer(proc, pid string) (Peer, error) {
	info, err := buildinfo.ReadFile(filepath.Join(proc, pid, "exe"))
	if errors.Is(err, fs.ErrPermission) {
		if s, err := readStatus(proc, pid); err != nil || s.name != "peer" {
			return Peer{}, ErrNoPeer
		}
		return Peer{}, fmt.Errorf("reading the executable of the peer, process %s: %w", pid, fs.ErrPermission)
	}
	if err != nil { // it is not written in Go, or the process has ended
		return Peer{}, ErrNoPeer
	}
	peer, ok := peerFrom(info)
	if !ok {
		return Peer{}, ErrNoPeer
	}
	peer.PID, _ = strconv.Atoi(pid)
	return peer, nil
}

const (
	peerPath    = "github.com/hyperledger/fabric/cmd/peer" // of the peer's main package
	peerCommand = "/cmd/peer"                              // the same in a fork with another module path
)

// numbers matches the numbers of a version such as v2.5.9 or 2.5.9-snapshot-1a2b3c4.
var numbers = regexp.MustCompile(`^v?([0-9]+\.[0-9]+(\.[0-9]+)?)`)

// peerFrom returns the peer with that build info, or false if it is another program. Go before 1.18 and -trimpath leave the
// flags out that hold the version.
func peerFrom(info *debug.BuildInfo) (Peer, bool) {
	module, ok := strings.CutSuffix(info.Path, peerCommand)
	if !ok {
		return Peer{}, false
	}
	version, recorded := linkedValue(info, module+"/common/metadata.Version")
	if !recorded && info.Path != peerPath {
		return Peer{}, false
	}
	peer := Peer{Go: info.GoVersion}
	if found := numbers.FindStringSubmatch(version); found != nil {
		peer.Version = found[1]
	}
	peer.Namespace, _ = linkedValue(info, module+"/common/metadata.DockerNamespace")
	return peer, true
}

// linkedValue returns the value that the linker's flag -X gave to a variable. The last flag wins.
func linkedValue(info *debug.BuildInfo, variable string) (string, bool) {
	flag := regexp.MustCompile(`(?:^|[\s='"])` + regexp.QuoteMeta(variable) + `=["']?([^\s"']*)`)
	for _, setting := range info.Settings {
		if found := flag.FindAllStringSubmatch(setting.Value, -1); setting.Key == "-ldflags" && found != nil {
			return found[len(found)-1][1], true
		}
	}
	return "", false
}

// status is what proc_pid_status(5) says about a process.
type status struct {
	name   string
	parent string // its PID; 0: none that this process may see
	nested bool   // it runs in another PID namespace, below the one that proc shows
}

func readStatus(proc, pid string) (status, error) {
	text, err := os.ReadFile(filepath.Join(proc, pid, "status"))
	if err != nil {
		return status{}, err
	}
	s := status{parent: "0"}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch name {
		case "Name":
			s.name = value
		case "PPid":
			s.parent = value
		case "NSpid":
			s.nested = len(strings.Fields(value)) > 1
		}
	}
	return s, nil
}
