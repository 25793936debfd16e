// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/test/peer"
)

// Every failing build gives one clear reason on stderr, exits with 1, and leaves nothing on the engine.
func TestAFailingBuildSaysWhy(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())

	broken := entries(t, filepath.Join(world.samples, "broken"))
	missing := []peer.Entry{
		peer.File("src/package.json", `{"name":"x","version":"1.0.0","scripts":{"start":"true"},"dependencies":{"fabric-builder-docker-no-such-package":"1.0.0"}}`),
	}
	gone := "fabric-builder-docker-test/no-such-image:1"
	tests := map[string]struct {
		config string
		typ    string
		code   []peer.Entry
		want   []string
	}{
		"code that does not compile":       {config(""), "golang", broken, []string{"main.go:5:2", "undefined: undefinedFunction", "exit status 1"}},
		"a dependency that does not exist": {config(""), "node", missing, []string{"npm", "fabric-builder-docker-no-such-package", "404"}},
		"no go.mod":                        {config(""), "golang", []peer.Entry{peer.File("src/README.md", "")}, []string{"neither src/go.mod", "nor Go files in src"}},
		"no package.json":                  {config(""), "node", []peer.Entry{peer.File("src/index.js", "")}, []string{"no src/package.json"}},
		"no such runtime image": {strings.ReplaceAll(config(""), world.baseos, gone), "golang", broken,
			[]string{"cannot pull runtime image", gone, "chaincode.golang.runtime"}},
		"no engine": {"vm: {endpoint: unix:///nowhere/docker.sock}", "golang", broken,
			[]string{"unix:///nowhere/docker.sock", "the socket does not exist", "vm.endpoint"}},
		"nobody listens": {fmt.Sprintf("vm: {endpoint: %q}", "tcp://"+closed.Addr().String()), "golang", broken,
			[]string{closed.Addr().String(), "vm.endpoint"}},
		"malformed endpoint": {"vm: {endpoint: /var/run/docker.sock}", "golang", broken, []string{`"/var/run/docker.sock"`, "unix://", "vm.endpoint"}},
		"unknown setting":    {"vm: {endpont: x}", "golang", broken, []string{"config.yaml", "vm.endpont", "unknown key", "endpoint"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, withBuilder(builder(t, test.config)))
			_, err := p.Install(timeout(t), fresh(t, test.typ, "bad_1.0", test.code...))
			require.ErrorContains(t, err, "external builder 'docker' failed: exit status 1")
			for _, want := range test.want {
				assert.Contains(t, p.said("build"), want)
			}
			noContainers(t, metadata.LabelKind, metadata.KindBuild)
			noContainers(t, metadata.LabelKind, metadata.KindAssembly)
		})
	}
}

func TestDetectAndBuildCheckMetadata(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ metadata, want string }{
		"missing":        {"", "no such file"},
		"not JSON":       {"{", "metadata.json"},
		"without a type": {`{"label":"a"}`, `"type"`},
		"bad label":      {`{"type":"golang","label":"a b"}`, `"a b"`},
	}
	dir := builder(t, config(""))
	for name, test := range tests {
		for _, phase := range []string{"detect", "build"} {
			t.Run(phase+"/"+name, func(t *testing.T) {
				u := unpack(t, "golang", "a")
				path := filepath.Join(u.metadata, "metadata.json")
				require.NoError(t, os.Remove(path))
				if test.metadata != "" {
					require.NoError(t, os.WriteFile(path, []byte(test.metadata), 0o600))
				}
				args := []string{u.source, u.metadata, u.output}
				if phase == "detect" {
					args = args[:2]
				}
				p := start(t, dir, phase, args...)
				assert.Equal(t, 1, p.status(t))
				assert.Contains(t, p.stderr.String(), test.want)
				assert.Equal(t, 1, strings.Count(p.stderr.String(), "\n"), "one line: %s", p.stderr)
			})
		}
	}
}

func TestDetectSaysNothingOfOtherPackages(t *testing.T) {
	t.Parallel()
	u := unpack(t, "wasm", "a label that is not ours to judge")
	p := start(t, builder(t, config("")), "detect", u.source, u.metadata)
	assert.Equal(t, 1, p.status(t))
	assert.Empty(t, p.stderr.String())
}

// The output appears while the build runs, not at its end.
func TestABuildsOutputStreams(t *testing.T) {
	u := unpack(t, "node", "slow_1.0", slowNode(t)...)
	p := start(t, builder(t, config("")), "build", u.source, u.metadata, u.output)
	require.Eventually(t, func() bool { return strings.Contains(p.stderr.String(), "slow_1.0 | the first line") }, limit, 20*time.Millisecond)
	assert.NotContains(t, p.stderr.String(), "the last line")
	require.NoError(t, p.Process.Signal(syscall.SIGTERM))
	assert.Equal(t, 1, p.status(t))
	assert.Contains(t, p.stderr.String(), `stopped by signal "terminated"`)
	noContainers(t, metadata.LabelKind, metadata.KindBuild)
}

func TestABuildThatTakesTooLongIsStopped(t *testing.T) {
	u := unpack(t, "node", "slow_1.0", slowNode(t)...)
	p := start(t, builder(t, config("  buildTimeout: 3s\n")), "build", u.source, u.metadata, u.output)
	assert.Equal(t, 1, p.status(t))
	assert.Contains(t, p.stderr.String(), "the build took too long")
	assert.Contains(t, p.stderr.String(), "builder.buildTimeout")
	noContainers(t, metadata.LabelKind, metadata.KindBuild)
}

// slowNode is a package whose build prints a line, takes longer than any test, and would print another.
func slowNode(t *testing.T) []peer.Entry {
	return []peer.Entry{
		peer.File("src/package.json", `{"name":"slow","version":"1.0.0","scripts":{"start":"true","preinstall":"sh slow.sh"}}`),
		peer.File("src/.npmrc", "foreground-scripts=true\n"),
		peer.File("src/slow.sh", "echo the first line\nsleep 600\necho the last line\n"),
		peer.File("src/salt.txt", t.Name()+time.Now().String()),
	}
}

// One build serves all, and one failure fails all, with the output.
func TestTenBuildersOfAPackageThatDoesNotCompile(t *testing.T) {
	code := append(entries(t, filepath.Join(world.samples, "broken")), peer.File("src/salt.txt", time.Now().String()))
	dir := builder(t, config(""))
	programs := make([]*program, 10)
	for i := range programs {
		u := unpack(t, "golang", "broken_1.0", code...)
		programs[i] = start(t, dir, "build", u.source, u.metadata, u.output)
	}
	holders := 0
	for _, p := range programs {
		assert.Equal(t, 1, p.status(t))
		assert.Contains(t, p.stderr.String(), "main.go:5:2: undefined: undefinedFunction")
		assert.Contains(t, p.stderr.String(), "[ERROR] build: the build ended with exit status 1")
		if strings.Contains(p.stderr.String(), "build: building: ") {
			holders++
		}
	}
	assert.Equal(t, 1, holders, "one builds, nine wait")
	noContainers(t, metadata.LabelKind, metadata.KindBuild)
}

func TestTwoBuildersOfTheSamePackageShareOneBuild(t *testing.T) {
	t.Parallel()
	code := append(entries(t, filepath.Join(world.samples, "hangs")), peer.File("src/salt.txt", time.Now().String()))
	dir := builder(t, config(""))
	var wg sync.WaitGroup
	outputs := make([]string, 4)
	for i := range outputs {
		u := unpack(t, "golang", "shared_1.0", code...)
		p := start(t, dir, "build", u.source, u.metadata, u.output)
		wg.Go(func() {
			assert.NoError(t, p.Wait())
			outputs[i] = p.stderr.String()
		})
	}
	wg.Wait()
	assert.Equal(t, 1, strings.Count(strings.Join(outputs, ""), "build: building: "))
	for _, output := range outputs {
		assert.Contains(t, output, "build: built: ")
	}
}

// A killed leader delays others by seconds: its container continues to build, and a follower makes the image from it. The
// follower does not remove it, since it cannot know that the leader is dead.
func TestABuilderThatIsKilledWhileAnotherWaits(t *testing.T) {
	code := append(entries(t, filepath.Join(world.samples, "go")), peer.File("src/salt.txt", time.Now().String()))
	dir := builder(t, config(""))
	u := unpack(t, "golang", "killed_1.0", code...)
	holder := start(t, dir, "build", u.source, u.metadata, u.output)
	awaitContainer(t, metadata.LabelKind, metadata.KindBuild, "running")
	v := unpack(t, "golang", "waiting_1.0", code...)
	waiter := start(t, dir, "build", v.source, v.metadata, v.output)
	require.Eventually(t, func() bool { return strings.Contains(waiter.stderr.String(), "waiting for it") }, limit, 5*time.Millisecond,
		"the waiter did not see the holder's container: %s", waiter.stderr)
	require.NoError(t, holder.Process.Kill())
	assert.Equal(t, -1, holder.status(t))

	assert.Equal(t, 0, waiter.status(t), waiter.stderr)
	assert.Contains(t, waiter.stderr.String(), "waiting_1.0 | go version")
	assert.Contains(t, waiter.stderr.String(), "making the image from another builder's container")
	noContainers(t, metadata.LabelKind, metadata.KindAssembly)
	left := containers(t, metadata.LabelKind, metadata.KindBuild)
	require.Len(t, left, 1)
	require.NoError(t, world.engine.Delete(background(t), "/containers/"+left[0].ID))
}

// What a killed builder leaves ends at that builder's time-out, and the next build of whatever content removes it.
func TestWhatAKilledBuilderLeavesIsRemoved(t *testing.T) {
	u := unpack(t, "node", "slow_1.0", slowNode(t)...)
	p := start(t, builder(t, config("  buildTimeout: 10s\n")), "build", u.source, u.metadata, u.output)
	left := awaitContainer(t, metadata.LabelKind, metadata.KindBuild, "running")
	require.NoError(t, p.Process.Kill())
	assert.Equal(t, -1, p.status(t))
	assert.Equal(t, left.ID, awaitContainer(t, metadata.LabelKind, metadata.KindBuild, "exited").ID)

	require.Eventually(t, func() bool {
		u := unpack(t, "node", "other_1.0", append(slowNode(t), peer.File("src/slow.sh", "exit 1"))...)
		p := start(t, builder(t, config("")), "build", u.source, u.metadata, u.output)
		assert.Equal(t, 1, p.status(t))
		return strings.Contains(p.stderr.String(), "removing a build container past its time-out")
	}, limit, 100*time.Millisecond)
	noContainers(t, metadata.LabelKind, metadata.KindBuild)
	for _, c := range containers(t, metadata.LabelKind, metadata.KindAssembly) { // of its look into a new base image: it stays for an hour
		require.NoError(t, world.engine.Delete(t.Context(), "/containers/"+c.ID))
	}
}
