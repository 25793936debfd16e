// SPDX-License-Identifier: Apache-2.0

package imagebuild_test

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/imagebuild"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
	"fabric-builder-docker/test/fakeengine"
)

// officialScript stands for the image's own build script.
const officialScript = "#!/bin/sh\nnpm ci\n"

var nodePlan = platform.Plan{
	Type:          "node",
	Builder:       platform.Image{Name: "nodeenv:2", Setting: "chaincode.node.runtime"},
	Runtime:       platform.Image{Name: "nodeenv:2", Setting: "chaincode.node.runtime"},
	Command:       []string{"/bin/sh", "-c", "npm"},
	Environment:   []string{"HTTPS_PROXY=http://user:secret@proxy.example.com"},
	Target:        "/usr/local/src",
	FabricVersion: "3.1",
	Snapshot: &platform.Snapshot{
		Files:  []string{"src/package.json", "src/package-lock.json"},
		Script: "/chaincode/build.sh",
		Known:  []string{sumOf(officialScript)},
	},
}

func sumOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// newNodeEngine has the one base image of node, with a build script of that content and mode; none where it is empty.
func newNodeEngine(t *testing.T, script string, mode int64, options ...fakeengine.Option) *fakeengine.Engine {
	t.Helper()
	engine := fakeengine.New(t, options...)
	files := fakeengine.NewFiles(map[string]string{"/usr/local/bin/node": "node"})
	if script != "" {
		files.Add("/chaincode/build.sh", tar.Header{Typeflag: tar.TypeReg, Mode: mode}, script)
	}
	engine.AddImage(fakeengine.Image{Name: "nodeenv:2", Layers: []string{"sha256:n"}, Files: files})
	engine.SetProgram(npm)
	return engine
}

// npm copies the code and installs what its lock file says.
func npm(p *fakeengine.Process) int {
	p.Stdout.Write([]byte("added 79 packages\n"))
	for _, name := range p.Files.Names(platform.InputDir + "/src") {
		file, _ := p.Files.Get(name)
		if file.Header.Typeflag != tar.TypeReg {
			continue
		}
		rest, err := filepath.Rel(platform.InputDir+"/src", name)
		if err != nil {
			panic(err)
		}
		p.Files.Add(platform.OutputDir+"/"+rest, file.Header, string(file.Content))
	}
	lock := p.Files.Read(platform.InputDir + "/src/package-lock.json")
	p.Files.Add(platform.OutputDir+"/node_modules/shim/index.js", tar.Header{Typeflag: tar.TypeReg, Mode: 0o644}, "shim of "+lock)
	p.Files.Add(platform.OutputDir+"/node_modules/.bin/shim", tar.Header{Typeflag: tar.TypeSymlink, Linkname: "../shim/index.js"}, "")
	return 0
}

// nodeSource is a package as the peer unpacks it.
func nodeSource(t *testing.T, code, lock string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"src/package.json": "{}", "src/package-lock.json": lock, "src/index.js": code, "src/lib/kv.js": "kv", "outside.txt": "x",
		"META-INF/statedb/couchdb/indexes/one.json": "{}",
	} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	}
	require.NoError(t, os.Chmod(filepath.Join(dir, "src/lib/kv.js"), 0o755))
	return dir
}

func buildNode(t *testing.T, engine *fakeengine.Engine, plan platform.Plan, code, lock string) (*builder, imagebuild.Image) {
	t.Helper()
	b := newBuilder(t, engine)
	image, err := b.Build(t.Context(), plan, open(t, nodeSource(t, code, lock)), "basic_1.0")
	require.NoError(t, err, b.output.String())
	assertNothingLeft(t, engine)
	return b, image
}

// inTarget are the contents of the chaincode's files.
func inTarget(t *testing.T, engine *fakeengine.Engine, image imagebuild.Image) map[string]string {
	t.Helper()
	made, ok := engine.Image(image.Name)
	require.True(t, ok)
	found := map[string]string{}
	for _, name := range made.Files.Names("/usr/local/src") {
		file, _ := made.Files.Get(name)
		if file.Header.Typeflag != tar.TypeDir {
			found[name] = string(file.Content) + file.Header.Linkname
		}
	}
	return found
}

func TestDependenciesAreInstalledAheadOfTheCode(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine := newNodeEngine(t, officialScript, 0o755, flavour...)
			var input []string
			engine.SetProgram(func(p *fakeengine.Process) int {
				input = p.Files.Names(platform.InputDir)
				return npm(p)
			})
			b, image := buildNode(t, engine, nodePlan, "one", "lock 1")
			assert.Equal(t, []string{
				"/chaincode/input/src", "/chaincode/input/src/package-lock.json", "/chaincode/input/src/package.json",
			}, input, "the code has no part in it")
			assert.Contains(t, b.output.String(), "basic_1.0 | added 79 packages\n")

			want := map[string]string{
				"/usr/local/src/package.json": "{}", "/usr/local/src/package-lock.json": "lock 1", "/usr/local/src/index.js": "one",
				"/usr/local/src/lib/kv.js": "kv", "/usr/local/src/node_modules/shim/index.js": "shim of lock 1",
				"/usr/local/src/node_modules/.bin/shim": "../shim/index.js",
			}
			assert.Equal(t, want, inTarget(t, engine, image))
			made, _ := engine.Image(image.Name)
			kv, _ := made.Files.Get("/usr/local/src/lib/kv.js")
			assert.Equal(t, int64(0o755), kv.Header.Mode, "what can be executed stays so")
			assert.Equal(t, metadata.KindChaincode, made.Labels[metadata.LabelKind])
			assert.Equal(t, "NODE", made.Labels[metadata.LabelChaincodeType])
			assert.Equal(t, []string{"CORE_CHAINCODE_BUILDLEVEL=3.1"}, made.Env, "nothing of the build's environment reaches the image")

			whole := nodePlan
			whole.Snapshot = nil
			engine.RemoveImage(image.Name)
			_, together := buildNode(t, engine, whole, "one", "lock 1")
			image.ID, together.ID = "", "" // its files come in one layer
			assert.Equal(t, image, together, "the way there does not change what an image is")
			assert.Equal(t, want, inTarget(t, engine, together))
		})
	}
}

// snapshots returns the names of all snapshots.
func snapshots(engine *fakeengine.Engine) []string { return imagesOf(engine, metadata.KindSnapshot) }

func TestAnUpgradeIsOneLoad(t *testing.T) {
	engine := newNodeEngine(t, officialScript, 0o755)
	buildNode(t, engine, nodePlan, "one", "lock 1")
	require.Len(t, snapshots(engine), 1)
	assert.Regexp(t, "^fabric-chaincode/node-snapshot:[0-9a-f]{64}$", snapshots(engine)[0])
	work := func() [5]int {
		return [5]int{
			len(engine.Calls(fakeengine.Create)), len(engine.Calls(fakeengine.Start)), len(engine.Calls(fakeengine.Upload)),
			len(engine.Calls(fakeengine.Commit)), len(engine.Calls(fakeengine.Load)),
		}
	}
	before := work()
	other := nodePlan
	other.FabricVersion, other.Environment = "3.2", nil
	_, image := buildNode(t, engine, other, "two", "lock 1")
	after := work()
	for i := range after {
		after[i] -= before[i]
	}
	assert.Equal(t, [5]int{0, 0, 0, 0, 1}, after, "create, start, upload, commit, load")
	assert.Equal(t, "two", inTarget(t, engine, image)["/usr/local/src/index.js"])
	assert.Len(t, snapshots(engine), 1, "neither the level of Fabric nor proxies change dependencies")

	_, image = buildNode(t, engine, nodePlan, "two", "lock 2")
	assert.Equal(t, "shim of lock 2", inTarget(t, engine, image)["/usr/local/src/node_modules/shim/index.js"])
	assert.Len(t, snapshots(engine), 2, "another lock file")
}

func TestASnapshotNeedsAScriptThatIsKnown(t *testing.T) {
	tests := map[string]struct {
		script string
		mode   int64
		want   bool
	}{
		"none":                    {"", 0, true},
		"known":                   {officialScript, 0o755, true},
		"not known":               {"#!/bin/sh\nnpm ci; make\n", 0o755, false},
		"one that is not called":  {"#!/bin/sh\nnpm ci; make\n", 0o644, true},
		"known, but for its mode": {officialScript, 0o555, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			engine := newNodeEngine(t, test.script, test.mode)
			b, image := buildNode(t, engine, nodePlan, "one", "lock 1")
			assert.Len(t, inTarget(t, engine, image), 6)
			if test.want {
				assert.Len(t, snapshots(engine), 1)
				return
			}
			assert.Empty(t, snapshots(engine))
			assert.Contains(t, b.output.String(), "/chaincode/build.sh of the builder image (SHA-256 "+sumOf(test.script)+")")
			assert.Contains(t, b.output.String(), "builder.node.knownScripts")
		})
	}
}

func TestASnapshotOfAScriptThatIsKnownNoMoreIsNotUsed(t *testing.T) {
	engine := newNodeEngine(t, "#!/bin/sh\nours\n", 0o755)
	trusting := nodePlan
	trusting.Snapshot = &platform.Snapshot{Files: nodePlan.Snapshot.Files, Script: nodePlan.Snapshot.Script, Known: []string{sumOf("#!/bin/sh\nours\n")}}
	buildNode(t, engine, trusting, "one", "lock 1")
	require.Len(t, snapshots(engine), 1)
	b, _ := buildNode(t, engine, nodePlan, "two", "lock 1")
	assert.Contains(t, b.output.String(), "installing the dependencies together with the code")
	assert.Contains(t, b.output.String(), sumOf("#!/bin/sh\nours\n"))
}

func TestDependenciesThatCannotBeInstalledFailTheBuild(t *testing.T) {
	engine := newNodeEngine(t, officialScript, 0o755)
	engine.SetProgram(fails(1))
	b := newBuilder(t, engine)
	_, err := b.Build(t.Context(), nodePlan, open(t, nodeSource(t, "one", "lock 1")), "basic_1.0")
	require.EqualError(t, err, "the build ended with exit status 1: main.go:1: undefined: x; its output is above")
	assert.Contains(t, b.output.String(), "basic_1.0 | main.go:1: undefined: x\n")
	assert.Empty(t, append(snapshots(engine), imagesOf(engine, metadata.KindChaincode)...))
	assertNothingLeft(t, engine)
}

// Ten builders at once: half of them have the same code, all have the same dependencies.
func TestManyBuildersShareOneSnapshot(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine := newNodeEngine(t, officialScript, 0o755, flavour...)
			installs := 0
			engine.SetProgram(func(p *fakeengine.Process) int {
				engine.Await(t, fakeengine.Logs, 9)
				installs++
				return npm(p)
			})
			outcomes := make(chan outcome, 10)
			for i := range 10 {
				b, source := newBuilder(t, engine), nodeSource(t, string(rune('a'+i/2)), "lock 1")
				go func() {
					image, err := b.Build(t.Context(), nodePlan, open(t, source), "basic_1.0")
					outcomes <- outcome{b, image, err}
				}()
			}
			images := map[string]bool{}
			for range 10 {
				o := <-outcomes
				require.NoError(t, o.err)
				images[o.image.Name] = true
				assert.Len(t, inTarget(t, engine, o.image), 6)
			}
			assert.Equal(t, 1, installs)
			assert.Len(t, images, 5)
			assert.Len(t, snapshots(engine), 1)
			assertNothingLeft(t, engine)
		})
	}
}

// An operator prunes images between two calls.
func TestASnapshotThatIsPrunedIsMadeAgain(t *testing.T) {
	engine := newNodeEngine(t, officialScript, 0o755)
	buildNode(t, engine, nodePlan, "one", "lock 1")
	engine.On(fakeengine.Load, fakeengine.Once(fakeengine.Before(func() { engine.RemoveImage(snapshots(engine)[0]) })))
	_, image := buildNode(t, engine, nodePlan, "two", "lock 1")
	assert.Len(t, inTarget(t, engine, image), 6)
	assert.Len(t, snapshots(engine), 1)
}

// Whatever a builder does when it is told to stop, it leaves no container.
func TestASignalWhileTheCodeIsAddedLeavesNoContainer(t *testing.T) {
	for _, route := range []fakeengine.Route{fakeengine.ImageInspect, fakeengine.Create, fakeengine.Upload, fakeengine.Download, fakeengine.Stat, fakeengine.Load} {
		for _, first := range []bool{true, false} {
			engine := newNodeEngine(t, officialScript, 0o755)
			if !first {
				buildNode(t, engine, nodePlan, "one", "lock 1")
			}
			ctx, stop := context.WithCancelCause(t.Context())
			engine.On(route, fakeengine.Before(func() { stop(signalled{}) }))
			_, err := newBuilder(t, engine).Build(ctx, nodePlan, open(t, nodeSource(t, "two", "lock 1")), "basic_1.0")
			switch {
			case !first && route != fakeengine.ImageInspect && route != fakeengine.Load:
				require.NoError(t, err, "an upgrade needs no container")
			case route == fakeengine.Load && err == nil: // the engine's answer was faster than the signal
			default:
				require.ErrorIs(t, err, signalled{}, "%v", route)
			}
			assertNothingLeft(t, engine)
		}
	}
}
