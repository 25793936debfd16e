// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/test/peer"
)

// makeAnew calls build --anew on a package.
func makeAnew(t *testing.T, builder string, pkg []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "package.tar.gz")
	require.NoError(t, os.WriteFile(path, pkg, 0o644))
	build := start(t, builder, "build", "--anew", path)
	require.Zero(t, build.status(t), build.stderr)
	return build.stderr.String()
}

// chooser is a node package without a lock file whose every build chooses something else, as a registry with newer versions
// does. Its program prints what its build has chosen.
func chooser() []peer.Entry {
	return []peer.Entry{
		peer.File("src/package.json", `{"name":"chooser","version":"1.0.0","scripts":{"start":"node index.js","install":"date +%s%N >chosen.txt"},
			"dependencies":{"is-number":"^7.0.0"}}`),
		peer.File("src/index.js", `console.log('chosen ' + require('fs').readFileSync('chosen.txt', 'utf8'), require('is-number')(3));
process.on('SIGTERM', () => process.exit(0));
setInterval(() => {}, 1000);
`),
	}
}

// A package that pins nothing keeps what its first build chose until an operator makes its image anew. What runs goes on, and
// the next launch uses the new image, with the record of the install.
func TestAPackageWithoutALockFileIsMadeAnew(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	pkg := fresh(t, "node", "chooser_1.0", chooser()...)
	id := p.install(t, pkg)
	assert.Contains(t, plain(p.said("build")), `the versions of dependencies were chosen by this build and stay: to get newer ones, use build --anew PACKAGE.tar.gz: reason="there is no lock file"`)
	image := p.record(t, id).Image
	removeBuilt(t, image)
	before := imageID(t, image)
	chosen := string(imageFile(t, image, "/usr/local/src/chosen.txt"))
	launch := func() *program {
		run := runByHand(t, p, id)
		require.Eventually(t, func() bool { return strings.Contains(run.stderr.String(), "chosen ") }, limit, 20*time.Millisecond, run.stderr)
		return run
	}
	stop := func(run *program) {
		require.NoError(t, run.Process.Signal(syscall.SIGTERM))
		run.status(t)
	}
	first := launch()
	assert.Contains(t, first.stderr.String(), "chosen "+chosen)

	said := plain(makeAnew(t, p.options.BuilderPath, pkg))
	assert.Contains(t, said, "made the image anew: chaincodes use it from their next launch on: image="+image+" ")
	assert.Contains(t, said, "the replaced image stays, without a name: a container uses it: image_id="+before+" ")
	after := imageID(t, image)
	assert.NotEqual(t, before, after)
	assert.NoError(t, first.Process.Signal(syscall.Signal(0)), "the chaincode still runs")
	stop(first)
	require.NoError(t, world.engine.Delete(t.Context(), "/images/"+before), "nothing else has its ID for a name")
	newly := string(imageFile(t, image, "/usr/local/src/chosen.txt"))
	assert.NotEqual(t, chosen, newly)
	second := launch()
	assert.Contains(t, second.stderr.String(), "chosen "+newly)
	stop(second)

	said = makeAnew(t, p.options.BuilderPath, pkg)
	assert.NotContains(t, said, "the replaced image stays", "nobody uses it")
	var gone struct{}
	assert.Error(t, world.engine.Get(t.Context(), "/images/"+after+"/json", &gone), "it is removed")
}

// Every kind of image can be made anew, and is the same again if the package pins everything.
func TestImagesThatPinEverythingAreTheSameAgain(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	for name, pkg := range map[string][]byte{
		"golang": fresh(t, "golang", "go_1.0", peer.File("src/go.mod", "module example.com/anew\n\ngo 1.21\n"), peer.File("src/main.go", "package main\n\nfunc main() {}\n")),
		"node":   kv(t, "kv_1.0"),
	} {
		id := p.install(t, pkg)
		image := p.record(t, id).Image
		before := imageID(t, image)
		said := makeAnew(t, p.options.BuilderPath, pkg)
		assert.Contains(t, said, "image="+image+" ", name)
		assert.NotContains(t, said, "there was no image of this name", name)
		if name == "golang" {
			assert.Equal(t, before, imageID(t, image), said)
			assert.Contains(t, said, "made the image anew: it is the same as before")
		}
	}
	id := p.install(t, kv(t, "kv_1.1"))
	p.invoke(t, id, "put", "a", "1")
	assert.Equal(t, "1", p.invoke(t, id, "get", "a"))
}

// The steps of a Dockerfile run again, although the engine has kept their results.
func TestAnImageOfADockerfileIsMadeAnew(t *testing.T) {
	t.Parallel()
	pkg := fresh(t, "docker", "any_1.0", peer.File("src/Dockerfile",
		"FROM "+world.baseos+"\nUSER root\nRUN date +%s%N >/chosen.txt\nENTRYPOINT [\"/bin/sh\", \"-c\", \"cat /chosen.txt\"]\n"))
	p := newPeer(t)
	id := p.install(t, pkg)
	image := p.record(t, id).Image
	removeBuilt(t, image)
	chosen := string(imageFile(t, image, "/chosen.txt"))
	said := plain(makeAnew(t, p.options.BuilderPath, pkg))
	assert.Contains(t, said, "made the image anew: chaincodes use it from their next launch on")
	assert.NotEqual(t, chosen, string(imageFile(t, image, "/chosen.txt")))
}

// docker exec gives build --anew all variables of the peer. It uses those that the peer passes on, and finds the same image.
func TestAnewFindsTheImageThatThePeerUses(t *testing.T) {
	t.Parallel()
	dir := builder(t, config(""))
	core := t.TempDir()
	text := "chaincode: {externalBuilders: [{name: docker, path: " + dir + ", propagateEnvironment: [GOFLAGS]}]}\n"
	require.NoError(t, os.WriteFile(filepath.Join(core, "core.yaml"), []byte(text), 0o644))
	code := []peer.Entry{
		peer.File("src/go.mod", "module example.com/anew\n\ngo 1.21\n"), peer.File("src/main.go", "package main\n\nfunc main() {}\n"), peer.File("src/salt.txt", rand.Text()),
	}
	u := unpack(t, "golang", "go_1.0", code...)
	pkg, err := peer.Assemble(map[string]any{"type": "golang", "label": "go_1.0", "path": "."}, code...)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "package.tar.gz")
	require.NoError(t, os.WriteFile(path, pkg, 0o644))
	call := func(variables []string, args ...string) string {
		b := program{exec.Command(filepath.Join(dir, "bin", "build"), args...), &syncBuffer{}}
		b.Cmd.Env, b.Cmd.Stderr = append([]string{"PATH=" + os.Getenv("PATH")}, variables...), b.stderr
		require.NoError(t, b.Start())
		require.Zero(t, b.status(t), b.stderr)
		return b.stderr.String()
	}
	call([]string{"GOFLAGS=-tags=peers"}, u.source, u.metadata, u.output)
	said := call([]string{"GOFLAGS=-tags=peers", "GOTOOLCHAIN=local", "GODEBUG=x=1", "FABRIC_CFG_PATH=" + core}, "--anew", path)
	assert.Contains(t, said, "made the image anew: it is the same as before")
	said = call([]string{"GOFLAGS=-tags=others", "FABRIC_CFG_PATH=" + core}, "--anew", path)
	assert.Contains(t, said, "[WARN]  build: there was no image of this name")
}

// What a java package downloads is chosen again: the snapshot is made anew first, and the image of the code on it.
func TestAJavaPackageIsMadeAnew(t *testing.T) {
	t.Parallel()
	p := javaPeer(t)
	code := withPlugins("", "", peer.File("src/src/main/resources/salt.txt", rand.Text()))
	pkg, err := peer.Assemble(map[string]any{"type": "java", "label": "anew_1.0", "path": "."}, code...)
	require.NoError(t, err)
	id := p.install(t, pkg)
	image := p.record(t, id).Image
	said := makeAnew(t, p.options.BuilderPath, pkg)
	assert.Contains(t, said, "image="+image+" ")
	assert.Equal(t, 2, strings.Count(said, "made the image anew: "), said)
	assert.NotContains(t, said, "there was no image of this name")
	assert.Contains(t, said, "downloaded the dependencies ahead of the code")
	code[len(code)-1].Body = []byte("other")
	_, said = p.installJava(t, code...)
	assert.NotContains(t, said, "ahead of the code", "the next install finds the snapshot")
}
