// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"crypto/rand"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/test/baseimages"
	"fabric-builder-docker/test/peer"
)

// A hand-made package contains its dependencies: nothing is downloaded, and there is no network for it. The peer refuses
// links in packages, so it does not contain the commands of dependencies.
func TestDependenciesThatCameWithANodePackageAreKept(t *testing.T) {
	t.Parallel()
	code := installed(t, func(dir string) {
		require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Name() == ".bin" {
				require.NoError(t, os.RemoveAll(path))
				return fs.SkipDir
			}
			return err
		}))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "node_modules", "mine.txt"), []byte("mine"), 0o644))
	})
	p := newPeer(t, withBuilder(builder(t, config("  build: {network: none}\n"))))
	id := p.install(t, fresh(t, "node", "kept_1.0", code...))
	assert.Equal(t, "mine", string(imageFile(t, p.record(t, id).Image, "/usr/local/src/node_modules/mine.txt")))
	p.invoke(t, id, "put", "a", "1")
	assert.Equal(t, "1", p.invoke(t, id, "get", "a"))
}

var sharedDependencies shared[string]

// installed returns the sample with its dependencies, as npm installs them. change is called with its directory before it is
// packed, as a packer that takes no links.
func installed(t *testing.T, change func(dir string)) []peer.Entry {
	t.Helper()
	original := sharedDependencies.get(t, func() string {
		dir := filepath.Join(world.bin, "node-sample")
		require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join(world.samples, "node"))))
		npm := exec.Command("npm", "ci", "--omit=dev")
		npm.Dir = dir
		output, err := npm.CombinedOutput()
		require.NoError(t, err, string(output))
		return dir
	})
	dir := t.TempDir()
	output, err := exec.Command("cp", "-a", original+"/.", dir).CombinedOutput()
	require.NoError(t, err, string(output))
	change(dir)
	return entries(t, dir)
}

// tar -h, and packers on Windows, make files of the links in node_modules/.bin. A copy does not find the modules beside the
// original.
func TestCopiesOfCommandsAreLinkedAgain(t *testing.T) {
	t.Parallel()
	code := installed(t, func(dir string) {
		bin := filepath.Join(dir, "node_modules", ".bin")
		links, err := os.ReadDir(bin)
		require.NoError(t, err)
		for _, link := range links {
			path := filepath.Join(bin, link.Name())
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, os.Remove(path))
			require.NoError(t, os.WriteFile(path, text, 0o644))
			require.NoError(t, os.WriteFile(path+".cmd", []byte("@ECHO off\r\n"), 0o644))
		}
	})
	p := newPeer(t, withBuilder(builder(t, config("  build: {network: none}\n"))))
	id := p.install(t, fresh(t, "node", "copies_1.0", code...))
	p.invoke(t, id, "put", "a", "1")
	assert.Equal(t, "1", p.invoke(t, id, "get", "a"))
}

func TestTheRestOfTheDependenciesIsInstalled(t *testing.T) {
	t.Parallel()
	code := installed(t, func(dir string) {
		require.NoError(t, os.RemoveAll(filepath.Join(dir, "node_modules", ".bin")))
		require.NoError(t, os.RemoveAll(filepath.Join(dir, "node_modules", "fabric-shim")))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "node_modules", "fabric-contract-api", "mine.txt"), []byte("mine"), 0o644))
	})
	p := newPeer(t)
	id := p.install(t, fresh(t, "node", "rest_1.0", code...))
	assert.Contains(t, p.said("build"), "node_modules in the package lacks fabric-shim")
	assert.Equal(t, "mine", string(imageFile(t, p.record(t, id).Image, "/usr/local/src/node_modules/fabric-contract-api/mine.txt")))
	p.invoke(t, id, "put", "a", "1")
	assert.Equal(t, "1", p.invoke(t, id, "get", "a"))
}

// printer is a package with one dependency whose program prints one line and ends.
func printer(start string, more ...peer.Entry) []peer.Entry {
	const locked = `{"name":"n","version":"1.0.0","lockfileVersion":3,"requires":true,"packages":{
		"":{"name":"n","version":"1.0.0","dependencies":{"is-number":"7.0.0"}},"node_modules/is-number":{"version":"7.0.0",
		"integrity":"sha512-41Cifkg6e8TylSpdtTpeLVMqvSBEVzTttHvERD741+pnZ8ANv0004MRL43QKPDlK9cGvNp6NZWZUBlbGXYxxng=="}}}`
	return append([]peer.Entry{
		peer.File("src/package.json", `{"name":"n","version":"1.0.0","scripts":{"start":"node index.js"`+start+`},"dependencies":{"is-number":"7.0.0"}}`),
		peer.File("src/package-lock.json", locked),
		peer.File("src/index.js", "const n = require('is-number'); console.log('says', n(3), n.patched === true); process.exit(7);\n"),
	}, more...)
}

// printed returns what a chaincode prints that ends with status 7.
func (p *testPeer) printed(t *testing.T, id string) string {
	t.Helper()
	run := runByHand(t, p, id)
	assert.Equal(t, 7, run.status(t), run.stderr)
	return run.stderr.String()
}

// A node_modules that holds no package is none.
func TestANodeModulesWithNothingButACache(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	id := p.install(t, fresh(t, "node", "cache_1.0", printer("",
		peer.File("src/node_modules/.cache/x/a", "cache"), peer.File("src/node_modules/.package-lock.json", "{}"))...))
	assert.Contains(t, p.said("build"), "adding the code to its dependencies")
	assert.Contains(t, p.printed(t, id), " | says true false\n")
}

// npm runs the script after it has installed. It changes a dependency by a file of the package, as patch-package does.
func TestAScriptThatPatchesADependency(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	id := p.install(t, fresh(t, "node", "patch_1.0", printer(`,"dependencies":"[ ! -f tools/patch.js ] || node tools/patch.js"`,
		peer.File("src/tools/patch.js", "const fs = require('fs'); fs.appendFileSync('node_modules/is-number/index.js', fs.readFileSync('patches/is-number.js'));\n"),
		peer.File("src/patches/is-number.js", "\nmodule.exports.patched = true;\n"))...))
	assert.Contains(t, p.printed(t, id), " | says true true\n")
}

// kv returns the sample chaincode with changed code, so that no engine has its image.
func kv(t *testing.T, label string, more ...peer.Entry) []byte {
	t.Helper()
	return fresh(t, "node", label, append(entries(t, filepath.Join(world.samples, "node")), more...)...)
}

// The first install may find the snapshot of an earlier test. The second must find one.
func TestAnUpgradeOfANodePackageInstallsNothing(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	p.install(t, kv(t, "kv_1.0"))
	told := len(p.said("build"))
	id := p.install(t, kv(t, "kv_1.1", peer.File("src/.dotfile", "hidden")))
	said := p.said("build")[told:]
	assert.Contains(t, said, "adding the code to its dependencies")
	assert.NotContains(t, said, "building:", "no build container")
	assert.Equal(t, "hidden", string(imageFile(t, p.record(t, id).Image, "/usr/local/src/.dotfile")))
	p.invoke(t, id, "put", "a", "1")
	assert.Equal(t, "1", p.invoke(t, id, "get", "a"))
}

// Neither the snapshot nor the image contains the environment or files that are only for the build.
func TestNoEnvironmentOfTheBuildReachesASnapshot(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t-of-the-proxy"
	p := newPeer(t, withBuilder(builder(t, config("  build: {environment: {NPM_TOKEN: "+secret+", NO_PROXY: "+secret+"}}\n"))))
	// A new package.json gives a new snapshot.
	code := entries(t, filepath.Join(world.samples, "node"))
	for i := range code {
		if code[i].Name == "src/package.json" {
			code[i].Body = []byte(strings.Replace(string(code[i].Body), "A chaincode", rand.Text(), 1))
		}
	}
	id := p.install(t, fresh(t, "node", "kv_1.0", code...))
	said := p.said("build")
	_, snapshot, ok := strings.Cut(said, "snapshot=")
	require.True(t, ok, said)
	for _, image := range []string{strings.Fields(snapshot)[0], p.record(t, id).Image} {
		for _, question := range []string{"/json", "/history"} {
			answer, err := world.engine.Read(t.Context(), "/images/"+image+question)
			require.NoError(t, err)
			assert.NotContains(t, string(answer), secret)
		}
	}
	require.NoError(t, world.engine.Delete(t.Context(), "/images/"+p.record(t, id).Image))
	require.NoError(t, world.engine.Delete(t.Context(), "/images/"+strings.Fields(snapshot)[0]))
}

// If the image's scripts are not known, and so may do more, they build the whole package and start it.
func TestScriptsThatAreNotKnownBuildAndStartNodePackages(t *testing.T) {
	t.Parallel()
	settings := strings.Replace(config(""), strings.Join(baseimages.NodeScripts(), ", "), "", 1)
	p := newPeer(t, withBuilder(builder(t, settings)))
	id := p.install(t, kv(t, "kv_1.0"))
	if world.nodeenv == "hyperledger/fabric-nodeenv:2.5" {
		assert.Contains(t, p.said("build"), "adding the code to its dependencies", "the official script is known")
	} else {
		assert.Contains(t, p.said("build"), "/chaincode/build.sh of the builder image (SHA-256 "+baseimages.NodeScripts()[0]+")")
	}
	p.invoke(t, id, "put", "a", "1")
	assert.Equal(t, "1", p.invoke(t, id, "get", "a"))
}

func TestANodeChaincodeStartsWithoutNPM(t *testing.T) {
	t.Parallel()
	for name, extra := range map[string]string{"with an init": "", "without an init": "  security: {init: false}\n"} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, withBuilder(builder(t, config(extra))))
			id := p.install(t, sample(t, "node", "node", "node_1.0"))
			p.invoke(t, id, "put", "a", "1")
			running := awaitContainer(t, metadata.LabelChaincodeID, id, "running")
			var node int
			commands := commandsIn(t, running.ID)
			for _, command := range commands {
				assert.False(t, strings.HasPrefix(command, "npm"), command)
				if strings.HasPrefix(command, "node ") && strings.Contains(command, "fabric-chaincode-node start --peer.address") {
					node++
				}
			}
			assert.Equal(t, 1, node, "%v", commands)
			require.NoError(t, p.Stop(timeout(t), id))
			assert.NotEqual(t, 137, p.ended(t, id).ExitCode(), "node has got the signal: nothing had to be killed")
			noContainers(t, metadata.LabelChaincodeID, id)
		})
	}
}

// The TypeScript chaincodes of Fabric's samples start with set -x.
func TestAStartScriptThatWrapsTheShimStartsWithoutNPM(t *testing.T) {
	t.Parallel()
	code := entries(t, filepath.Join(world.samples, "node"))
	for i := range code {
		if code[i].Name == "src/package.json" {
			code[i].Body = []byte(strings.Replace(string(code[i].Body), `"fabric-chaincode-node start"`, `"set -x && fabric-chaincode-node start"`, 1))
			require.Contains(t, string(code[i].Body), "set -x")
		}
	}
	for name, extra := range map[string]string{"with an init": "", "without an init": "  security: {init: false}\n"} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, withBuilder(builder(t, config(extra))))
			id := p.install(t, fresh(t, "node", "wrapped_1.0", code...))
			p.invoke(t, id, "put", "a", "1")
			for _, command := range commandsIn(t, awaitContainer(t, metadata.LabelChaincodeID, id, "running").ID) {
				assert.False(t, strings.HasPrefix(command, "npm"), command)
			}
			assert.Contains(t, p.said("run"), " | + exec fabric-chaincode-node start --peer.address ")
			require.NoError(t, p.Stop(timeout(t), id))
			assert.NotEqual(t, 137, p.ended(t, id).ExitCode(), "node has got the signal: nothing had to be killed")
			noContainers(t, metadata.LabelChaincodeID, id)
		})
	}
}

// server is a Node program that prints that it got SIGTERM.
func server() []peer.Entry {
	return []peer.Entry{
		peer.File("src/package.json", `{"name":"server","version":"1.0.0","scripts":{"start":"node index.js"}}`),
		peer.File("src/index.js", `process.on('SIGTERM', () => { console.log('server: told to stop'); process.exit(0); });
console.log('server: running');
setInterval(() => {}, 1000);
`),
	}
}

// The shells and npm that start node do not forward SIGTERM. If they exit first, node is killed without any time to
// clean up.
func TestSIGTERMReachesNode(t *testing.T) {
	t.Parallel()
	for name, extra := range map[string]string{"with an init": "", "without an init": "  security: {init: false}\n"} {
		t.Run(name, func(t *testing.T) {
			p := newPeer(t, withBuilder(builder(t, config(extra))))
			id := p.install(t, fresh(t, "node", "server_1.0", server()...))
			run := runByHand(t, p, id)
			require.Eventually(t, func() bool { return strings.Contains(run.stderr.String(), "server: running") }, limit, 20*time.Millisecond)
			require.NoError(t, run.Process.Signal(syscall.SIGTERM))
			status := run.status(t)
			assert.Contains(t, run.stderr.String(), metadata.ShortID(id)+" | server: told to stop\n")
			assert.NotEqual(t, 137, status, "nothing had to be killed: %s", run.stderr)
			noContainers(t, metadata.LabelChaincodeID, id)
		})
	}
}

func TestANodeChaincodeEndsBySIGTERM(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	id := p.install(t, sample(t, "node", "node", "node_1.0"))
	p.invoke(t, id, "put", "a", "1")
	require.NoError(t, p.Stop(timeout(t), id))
	assert.Equal(t, 143, p.ended(t, id).ExitCode(), "after its grace it would have been killed, which is 137")
	noContainers(t, metadata.LabelChaincodeID, id)
}

// No engine is contacted: there is none at that endpoint.
func TestAPackageJSONThatIsNoJSON(t *testing.T) {
	t.Parallel()
	p := newPeer(t, withBuilder(builder(t, "vm: {endpoint: unix:///nowhere/docker.sock}")))
	_, err := p.Install(timeout(t), fresh(t, "node", "broken_1.0", peer.File("src/package.json", "{name: 'x'}")))
	require.ErrorContains(t, err, "exit status 1")
	assert.Equal(t, "[ERROR] build: planning the build of a node package: src/package.json is not a JSON object: "+
		"invalid character 'n' looking for beginning of object key string\n", plain(p.said("build")))
}

func TestANodePackageWithoutSrc(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	id := p.install(t, packed(t, "node", "", moved(entries(t, filepath.Join(world.samples, "node")), "src/", "")...))
	p.invoke(t, id, "put", "a", "1")
	assert.Equal(t, "1", p.invoke(t, id, "get", "a"))
}
