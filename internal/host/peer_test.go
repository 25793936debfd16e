// SPDX-License-Identifier: Apache-2.0

package host

import (
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/test/fabricpeer"
)

// The flags are those of published peers, of own builds and of what others do with the Makefile.
func TestWhatTheBuildInfoOfAPeerSays(t *testing.T) {
	const version, namespace = "github.com/hyperledger/fabric/common/metadata.Version=", "github.com/hyperledger/fabric/common/metadata.DockerNamespace="
	tests := map[string]struct {
		path, flags string
		want        *Peer
	}{
		"published":           {peerPath, "-X " + version + "v2.5.9 -X github.com/hyperledger/fabric/common/metadata.CommitSHA=1a2b3c4 -X " + namespace + "hyperledger", &Peer{Version: "2.5.9", Namespace: "hyperledger"}},
		"without v":           {peerPath, "-X " + version + "3.1.1", &Peer{Version: "3.1.1"}},
		"own build":           {peerPath, "-X " + version + "2.5.9-snapshot-1a2b3c4", &Peer{Version: "2.5.9"}},
		"pre-release":         {peerPath, "-X " + version + "v3.0.0-beta", &Peer{Version: "3.0.0"}},
		"two numbers":         {peerPath, "-X " + version + "v2.5", &Peer{Version: "2.5"}},
		"quoted":              {peerPath, "-s -w '-X=" + version + "v2.5.9' -X \"" + namespace + "example.com/fabric\"", &Peer{Version: "2.5.9", Namespace: "example.com/fabric"}},
		"quoted value":        {peerPath, "-X " + version + "'2.5.9' ", &Peer{Version: "2.5.9"}},
		"twice":               {peerPath, "-X " + version + "v2.5.9 -X " + version + "v2.5.10", &Peer{Version: "2.5.10"}},
		"no number":           {peerPath, "-X " + version + "latest", &Peer{}},
		"no flags":            {peerPath, "", &Peer{}},
		"other flags":         {peerPath, "-s -w -X xgithub.com/hyperledger/fabric/common/metadata.Version=9.9", &Peer{}},
		"a fork":              {"example.com/our/fabric/cmd/peer", "-X example.com/our/fabric/common/metadata.Version=v2.5.9", &Peer{Version: "2.5.9"}},
		"another peer":        {"example.com/torrent/cmd/peer", "-X " + version + "v2.5.9", nil},
		"an orderer":          {"github.com/hyperledger/fabric/cmd/orderer", "-X " + version + "v2.5.9", nil},
		"the programs' own":   {"fabric-builder-docker/cmd/build", "", nil},
		"from files, no path": {"command-line-arguments", "-X " + version + "v2.5.9", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			info := &debug.BuildInfo{Path: test.path}
			if test.flags != "" {
				info.Settings = []debug.BuildSetting{{Key: "-compiler", Value: "gc"}, {Key: "-ldflags", Value: test.flags}}
			}
			peer, ok := peerFrom(info)
			assert.Equal(t, test.want != nil, ok)
			if ok {
				assert.Equal(t, *test.want, peer)
			}
		})
	}
}

// process is one in a made-up /proc.
type process struct {
	name, parent, namespaces string
	arguments                []string
	executable               string
}

func procOf(t *testing.T, self string, processes map[string]process) string {
	t.Helper()
	proc := t.TempDir()
	for pid, p := range processes {
		dir := filepath.Join(proc, pid)
		require.NoError(t, os.Mkdir(dir, 0o755))
		status := "Name:\t" + p.name + "\nUmask:\t0022\nPid:\t" + pid + "\nPPid:\t" + p.parent + "\nNSpid:\t" + pid + p.namespaces + "\n"
		require.NoError(t, os.WriteFile(filepath.Join(dir, "status"), []byte(status), 0o644))
		arguments := strings.Join(append([]string{p.name}, p.arguments...), "\x00") + "\x00"
		require.NoError(t, os.WriteFile(filepath.Join(dir, "cmdline"), []byte(arguments), 0o644))
		require.NoError(t, os.Symlink(p.executable, filepath.Join(dir, "exe")))
	}
	require.NoError(t, os.WriteFile(filepath.Join(proc, "uptime"), nil, 0o644))
	require.NoError(t, os.Symlink(self, filepath.Join(proc, "self")))
	return proc
}

func TestWhichPeerIsFound(t *testing.T) {
	build := func(flags ...string) string {
		program, err := fabricpeer.Build(t.TempDir(), fabricpeer.Module, flags...)
		require.NoError(t, err)
		return program
	}
	older := build(fabricpeer.Metadata(fabricpeer.Module, "Version=v2.5.9", "DockerNamespace=example"))
	newer := build(fabricpeer.Metadata(fabricpeer.Module, "Version=v3.1.1"))
	silent := build("-trimpath", fabricpeer.Metadata(fabricpeer.Module, "Version=v2.5.9"))
	own, err := os.Executable()
	require.NoError(t, err)
	const script, gone = "/bin/sh", "/not/there"
	node := []string{"node", "start"}

	tests := map[string]struct {
		processes map[string]process
		pid       int
		version   string
		want      string // error
	}{
		"the parent": {processes: map[string]process{"1": {"peer", "0", "", node, older}, "2": {"build", "1", "", nil, own}}, pid: 1, version: "2.5.9"},
		"the nearest ancestor": {processes: map[string]process{
			"1": {"peer", "0", "", node, newer}, "7": {"peer", "1", "", node, older}, "8": {"sh", "7", "", nil, script}, "2": {"build", "8", "", nil, own},
		}, pid: 7, version: "2.5.9"},
		"beside the peer":             {processes: map[string]process{"1": {"peer", "0", "", node, older}, "2": {"build", "0", "", nil, own}}, pid: 1, version: "2.5.9"},
		"an ancestor before others":   {processes: map[string]process{"1": {"peer", "0", "", node, newer}, "7": {"peer", "0", "", node, older}, "2": {"build", "7", "", nil, own}}, pid: 7, version: "2.5.9"},
		"not the peer's other uses":   {processes: map[string]process{"1": {"peer", "0", "", node, older}, "7": {"peer", "0", "", []string{"lifecycle", "chaincode", "install"}, newer}, "2": {"build", "0", "", nil, own}}, pid: 1, version: "2.5.9"},
		"two of one version":          {processes: map[string]process{"1": {"peer", "0", "", node, older}, "7": {"peer", "0", "", node, older}, "2": {"build", "0", "", nil, own}}, pid: 1, version: "2.5.9"},
		"none in another container":   {processes: map[string]process{"7": {"peer", "0", "\t1", node, newer}, "2": {"build", "0", "", nil, own}}, want: ErrNoPeer.Error()},
		"none":                        {processes: map[string]process{"1": {"init", "0", "", nil, own}, "7": {"node", "1", "", node, script}, "8": {"x", "1", "", node, gone}, "2": {"build", "1", "", nil, own}}, want: ErrNoPeer.Error()},
		"a cycle of ancestors":        {processes: map[string]process{"2": {"build", "2", "", nil, own}}, want: ErrNoPeer.Error()},
		"two of different versions":   {processes: map[string]process{"1": {"peer", "0", "", node, older}, "7": {"peer", "0", "", node, newer}, "2": {"build", "0", "", nil, own}}, want: `peers of different versions run here: process 1 is "2.5.9", process 7 is "3.1.1"`},
		"built without the flags":     {processes: map[string]process{"1": {"peer", "0", "", node, silent}, "2": {"build", "1", "", nil, own}}, pid: 1, version: ""},
		"processes that are not seen": {processes: map[string]process{"2": {"build", "1", "", nil, own}}, want: ErrNoPeer.Error()},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			peer, err := FindPeer(procOf(t, "2", test.processes))
			if test.want != "" {
				assert.EqualError(t, err, test.want)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.pid, peer.PID)
			assert.Equal(t, test.version, peer.Version)
			assert.NotEmpty(t, peer.Go)
		})
	}
	_, err = FindPeer(filepath.Join(t.TempDir(), "not", "there"))
	assert.ErrorIs(t, err, ErrNoPeer)
}
