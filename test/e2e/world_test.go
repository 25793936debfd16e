// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"hash/crc32"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/test/baseimages"
	"fabric-builder-docker/test/ours"
	"fabric-builder-docker/test/peer"
)

// prefix separates the tests' images and caches from an operator's.
const prefix = ours.Prefix

// limit bounds a single test. The slowest takes less.
const limit = 5 * time.Minute

// config returns config.yaml for the tests' engine and images.
func config(extra string) string {
	return fmt.Sprintf("vm:\n  endpoint: %s\nchaincode:\n  builder: %s\n  golang: {runtime: %s}\n  node: {runtime: %s}\nbuilder:\n  prefix: %s\n  node: {knownScripts: [%s]}\n%s%s",
		world.host, world.ccenv, world.baseos, world.nodeenv, prefix, strings.Join(baseimages.NodeScripts(), ", "), allOutput(extra), extra)
}

// allOutput shows what builds print, for the tests that look at it, unless a test has its own settings for builds.
func allOutput(extra string) string {
	if strings.Contains(extra, "build:") {
		return ""
	}
	return "  build: {output: all}\n"
}

var (
	subjectAlone = regexp.MustCompile(`(?m): label=\S+ (package_id|package)=\S+$`)
	subject      = regexp.MustCompile(`label=\S+ (package_id|package)=\S+ `)
	shortID      = regexp.MustCompile(`(?m)^(\S+):[0-9a-f]{12} \| `)
)

// plain returns what build has said without the ids that differ in each test: the hash of the package in the prefix of its
// output, and the package in the builder's own lines.
func plain(said string) string {
	said = subject.ReplaceAllString(subjectAlone.ReplaceAllString(said, ""), "")
	return shortID.ReplaceAllString(said, "$1 | ")
}

// builder returns a directory for chaincode.externalBuilders, with bin/ and config.yaml.
func builder(t *testing.T, config string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "bin"), 0o755))
	for _, program := range []string{"detect", "build", "release", "run"} {
		require.NoError(t, os.Link(filepath.Join(world.bin, program), filepath.Join(dir, "bin", program)))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(config), 0o644))
	return dir
}

// testPeer is a peer and the stderr of its programs.
type testPeer struct {
	*peer.Peer
	journal *peer.Journal
	options peer.Options
}

// newPeer starts a peer with this builder. It is closed when the test ends.
func newPeer(t *testing.T, change ...func(*peer.Options)) *testPeer {
	t.Helper()
	journal := &peer.Journal{}
	options := peer.Options{
		Dir: t.TempDir(), TLS: true, Log: journal.Log,
		ExecuteTimeout: limit, TermTimeout: limit, ShutdownTimeout: limit, // longer than a real peer's: CI may be slow
	}
	for _, c := range change {
		c(&options)
	}
	if options.BuilderPath == "" {
		options.BuilderPath = builder(t, config(""))
	}
	p, err := peer.Start(t.Context(), options)
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("closing the peer: %v", err)
		}
		if t.Failed() {
			t.Logf("what the programs said:\n%s", journal)
		}
	})
	return &testPeer{p, journal, options}
}

func withBuilder(dir string) func(*peer.Options) {
	return func(o *peer.Options) { o.BuilderPath = dir }
}

func withTLS(on bool) func(*peer.Options) { return func(o *peer.Options) { o.TLS = on } }

func timeout(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// install installs a package that builds.
func (p *testPeer) install(t *testing.T, pkg []byte) string {
	t.Helper()
	id, err := p.Install(timeout(t), pkg)
	require.NoError(t, err, p.journal)
	return id
}

// invoke calls a function that must succeed, and returns its result.
func (p *testPeer) invoke(t *testing.T, id string, args ...string) string {
	t.Helper()
	response, err := p.Invoke(timeout(t), id, args...)
	require.NoError(t, err, p.journal)
	require.EqualValues(t, 200, response.Status, response.Message)
	return string(response.Payload)
}

// run returns the last run of a chaincode after it has ended.
func (p *testPeer) ended(t *testing.T, id string) *peer.Process {
	t.Helper()
	runs := p.Runs(id)
	require.NotEmpty(t, runs)
	last := runs[len(runs)-1]
	require.NoError(t, last.Wait(timeout(t)))
	return last
}

// said returns the stderr of one program.
func (p *testPeer) said(program string) string {
	var lines strings.Builder
	for _, line := range p.journal.Lines() {
		if line.Program == program {
			lines.WriteString(line.Text + "\n")
		}
	}
	return lines.String()
}

// sample packs one of testdata/chaincodes as the peer's CLI does. All tests share the image of that code, but the label and
// with it the id are the test's own, so that tests which run at the same time find their own containers.
func sample(t *testing.T, name, packageType, label string) []byte {
	t.Helper()
	return packedAs(t, filepath.Join(world.samples, name), packageType, label)
}

// packedAs packs a directory as sample does.
func packedAs(t *testing.T, dir, packageType, label string) []byte {
	t.Helper()
	var pkg bytes.Buffer
	label = fmt.Sprintf("%s-%08x", label, crc32.ChecksumIEEE([]byte(t.Name())))
	source := peer.Source{Label: label, Path: ".", Type: packageType, CodeDir: dir}
	require.NoError(t, peer.Pack(&pkg, source))
	return pkg.Bytes()
}

// writeProgram writes a program that the test executes next. No other test starts a process meanwhile: until that executes
// something, it would have the file open for writing, and Linux executes no such file.
func writeProgram(t *testing.T, path string, body []byte) {
	t.Helper()
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	require.NoError(t, os.WriteFile(path, body, 0o755))
}

// entries returns the files of a directory as entries below src/.
func entries(t *testing.T, dir string) []peer.Entry {
	t.Helper()
	var all []peer.Entry
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		all = append(all, peer.File("src/"+filepath.ToSlash(name), string(body)))
		return err
	}))
	return all
}

// fresh returns a package with content that no engine has built before.
func fresh(t *testing.T, packageType, label string, code ...peer.Entry) []byte {
	t.Helper()
	code = append(code, peer.File("src/salt.txt", rand.Text()))
	pkg, err := peer.Assemble(map[string]any{"type": packageType, "label": label, "path": "."}, code...)
	require.NoError(t, err)
	return pkg
}

// unpacked is a package as the peer passes it to the programs, for calls by hand.
type unpacked struct{ source, metadata, output string }

func unpack(t *testing.T, packageType, label string, code ...peer.Entry) unpacked {
	t.Helper()
	dir := t.TempDir()
	u := unpacked{filepath.Join(dir, "src"), filepath.Join(dir, "metadata"), filepath.Join(dir, "bld")}
	for _, d := range []string{u.source, u.metadata, u.output} {
		require.NoError(t, os.Mkdir(d, 0o700))
	}
	text := fmt.Sprintf(`{"type":%q,"label":%q,"path":"."}`, packageType, label)
	require.NoError(t, os.WriteFile(filepath.Join(u.metadata, "metadata.json"), []byte(text), 0o700))
	for _, entry := range code {
		path := filepath.Join(u.source, entry.Name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, entry.Body, 0o644))
	}
	return u
}

// program is one of the four programs, called by hand.
type program struct {
	*exec.Cmd
	stderr *syncBuffer
}

func start(t *testing.T, builder, name string, args ...string) *program {
	t.Helper()
	p := &program{exec.Command(filepath.Join(builder, "bin", name), args...), &syncBuffer{}}
	p.Cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	p.Cmd.Stderr = p.stderr
	require.NoError(t, p.Start())
	t.Cleanup(func() { _ = p.Process.Kill() })
	return p
}

// status waits for the program and returns its exit status.
func (p *program) status(t *testing.T) int {
	t.Helper()
	if err := p.Wait(); err != nil {
		require.ErrorAs(t, err, new(*exec.ExitError))
	}
	return p.ProcessState.ExitCode()
}

// containerState is the part of a container's state that tests check.
type containerState struct {
	ID     string            `json:"Id"`
	Names  []string          `json:"Names"`
	State  string            `json:"State"`
	Labels map[string]string `json:"Labels"`
}

// containers returns the tests' containers with a label of that value: the engine may have another network's, too.
func containers(t *testing.T, label, value string) []containerState {
	t.Helper()
	var all []containerState
	filters := url.QueryEscape(fmt.Sprintf(`{"label":[%q]}`, label+"="+value))
	require.NoError(t, world.engine.Get(t.Context(), "/containers/json?all=1&filters="+filters, &all))
	return slices.DeleteFunc(all, func(c containerState) bool { return !ours.Made(c.Names, c.Labels) })
}

// running waits until a container of that kind has that state.
func awaitContainer(t *testing.T, label, value, state string) containerState {
	t.Helper()
	var found containerState
	require.Eventually(t, func() bool {
		for _, c := range containers(t, label, value) {
			if c.State == state {
				found = c
				return true
			}
		}
		return false
	}, limit, 20*time.Millisecond, "no container with %s=%s is %s", label, value, state)
	return found
}

func noContainers(t *testing.T, label, value string) {
	t.Helper()
	require.Eventually(t, func() bool { return len(containers(t, label, value)) == 0 }, limit, 20*time.Millisecond,
		"a container with %s=%s is left", label, value) // an engine may complete a removal later
}

// record returns the build record of a package.
func (p *testPeer) record(t *testing.T, id string) metadata.Record {
	t.Helper()
	record, err := metadata.ReadRecord(p.Build(id).Output)
	require.NoError(t, err)
	return record
}
