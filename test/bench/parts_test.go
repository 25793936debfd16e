// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/test/peer"
)

func TestTheStatusOfAProcessIsRead(t *testing.T) {
	s := parseStatus("Name:\trun\nState:\tS (sleeping)\nVmHWM:\t   10000 kB\nThreads:\t7\n")
	assert.Equal(t, 10.24, s.megabytes("VmHWM"))
	assert.Equal(t, 7.0, s["Threads"])
	own, err := processStatus(os.Getpid())
	require.NoError(t, err)
	assert.Positive(t, own.megabytes("VmHWM"))
}

func TestBuildsAreCountedByTheEnginesEvents(t *testing.T) {
	const (
		build     = `{"Action":"start","Actor":{"Attributes":{"name":"fabric-builder-docker-bench-build-1"}}}`
		assembly  = `{"Action":"commit","Actor":{"Attributes":{"name":"fabric-builder-docker-bench-assembly-1"}}}`
		elsewhere = `{"Action":"start","Actor":{"Attributes":{"name":"fabric-chaincode-build-1"}}}`
	)
	for events, want := range map[string]int{
		"":                                  0,
		elsewhere:                           0,
		build + "\n" + assembly:             1,
		assembly:                            1,
		build + build + assembly:            2,
		build + "\n" + elsewhere + assembly: 1,
	} {
		got, err := countBuilds([]byte(events))
		require.NoError(t, err)
		assert.Equal(t, want, got, events)
	}
	_, err := countBuilds([]byte("{"))
	assert.Error(t, err)
}

func TestAPackageIsUnpackedAsThePeerDoesIt(t *testing.T) {
	pkg, err := peer.Assemble(map[string]any{"type": "node", "label": "a_1", "path": "."}, peer.File("src/lib/a.js", "a"))
	require.NoError(t, err)
	b := &bench{scratch: t.TempDir()}
	d, err := b.unpack(pkg)
	require.NoError(t, err)
	file := filepath.Join(d.source, "src/lib/a.js")
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, "a", string(content))
	info, err := os.Stat(filepath.Dir(file))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	c, err := open(pkg)
	require.NoError(t, err)
	assert.Equal(t, "node", c.about.Type)
}

func TestEachSaltMakesOtherContent(t *testing.T) {
	t.Chdir("../..")
	s := sources{dir: t.TempDir()}
	for _, of := range []sample{goSample, nodeSample, javaSample} {
		a, err := s.pack(of, s.plain(of), "kv_1.0", "a")
		require.NoError(t, err)
		same, err := s.pack(of, s.plain(of), "kv_1.0", "a")
		require.NoError(t, err)
		b, err := s.pack(of, s.plain(of), "kv_1.0", "b")
		require.NoError(t, err)
		assert.Equal(t, a, same)
		assert.NotEqual(t, a, b)
	}
}

func TestTheTextToChangeHasToBeThere(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), []byte("one two"), 0o600))
	require.NoError(t, replaceIn(dir, "two", "three", "a"))
	assert.ErrorContains(t, replaceIn(dir, "two", "three", "a"), `holds no "two"`)
}

func TestTheArgumentsAreChecked(t *testing.T) {
	opts, err := parse([]string{"-n", "2", "-only", "^Go", "-write", "x.md"})
	require.NoError(t, err)
	assert.Equal(t, 2, opts.rounds)
	assert.True(t, opts.only.MatchString("Go first"))
	assert.Equal(t, "x.md", opts.write)
	for _, args := range [][]string{{"-n", "0"}, {"-only", "("}, {"launch"}} {
		_, err := parse(args)
		assert.Error(t, err, args)
	}
}
