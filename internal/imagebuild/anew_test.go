// SPDX-License-Identifier: Apache-2.0

package imagebuild_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/baseimage"
	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
	"fabric-builder-docker/test/fakeengine"
)

// newer is an npm to which the registry gives newer versions than to npm.
func newer(p *fakeengine.Process) int {
	status := npm(p)
	p.Files.Write(platform.OutputDir+"/node_modules/shim/index.js", "newer shim", 0o644)
	return status
}

func TestAnImageAndItsSnapshotAreMadeAnew(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine := newNodeEngine(t, officialScript, 0o755, flavour...)
			_, image := buildNode(t, engine, nodePlan, "one", "lock 1")
			names := engine.Images()
			require.Len(t, snapshots(engine), 1)
			engine.SetProgram(newer)
			b := newBuilder(t, engine)
			require.NoError(t, b.Anew(t.Context(), nodePlan, open(t, nodeSource(t, "one", "lock 1")), "basic_1.0"), b.output.String())
			assert.Subset(t, engine.Images(), names)
			assert.Len(t, snapshots(engine), 1)
			assert.Len(t, imagesOf(engine, metadata.KindChaincode), 1)
			assert.Equal(t, "newer shim", inTarget(t, engine, image)["/usr/local/src/node_modules/shim/index.js"])
			assert.Empty(t, engine.Unnamed(), "what nobody uses is removed")
			made, _ := engine.Image(image.Name)
			assert.Equal(t, snapshots(engine)[0], made.Labels["fabric-builder-docker.snapshot"], "under the name that it has in the end")
			assert.Contains(t, b.output.String(), "made the image anew: chaincodes use it from their next launch on: image="+image.Name+" ")
			assertNothingLeft(t, engine)

			// The next build finds both.
			started := len(engine.Calls(fakeengine.Start))
			_, again := buildNode(t, engine, nodePlan, "one", "lock 1")
			assert.Equal(t, image.Name, again.Name)
			_, other := buildNode(t, engine, nodePlan, "two", "lock 1")
			assert.Equal(t, "newer shim", inTarget(t, engine, other)["/usr/local/src/node_modules/shim/index.js"])
			assert.Len(t, engine.Calls(fakeengine.Start), started)
		})
	}
}

// An image is in use under its name at any time: by run of this peer or another, and by other builds.
func TestThereIsAnImageUnderTheNameWhileItIsMadeAnew(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine := newNodeEngine(t, officialScript, 0o755, flavour...)
			_, image := buildNode(t, engine, nodePlan, "one", "lock 1")
			snapshot := snapshots(engine)[0]
			client, _ := create(t, engine, "a-chaincode", image.Name) // that a run has created
			before, _ := engine.Image(image.Name)
			var checked atomic.Int64 // some calls are made in the background
			for _, route := range []fakeengine.Route{
				fakeengine.ImageInspect, fakeengine.Create, fakeengine.Start, fakeengine.Load, fakeengine.Commit, fakeengine.Tag, fakeengine.Untag,
			} {
				engine.On(route, fakeengine.After(func() {
					for _, name := range []string{image.Name, snapshot} {
						_, ok := engine.Image(name)
						assert.True(t, ok, "%s after %v", name, route)
					}
					checked.Add(1)
				}))
			}
			engine.SetProgram(newer)
			require.NoError(t, newBuilder(t, engine).Anew(t.Context(), nodePlan, open(t, nodeSource(t, "one", "lock 1")), "basic_1.0"))
			assert.Greater(t, checked.Load(), int64(10))
			require.Len(t, engine.Unnamed(), 1, "the container keeps its image")
			old, err := client.Image(t.Context(), engine.Unnamed()[0])
			require.NoError(t, err)
			assert.Equal(t, before.Layers, old.Layers)
			assertLeft(t, engine, "a-chaincode")
		})
	}
}

// A build of the same content neither follows nor uses what is made anew before that is complete.
func TestABuildDoesNotFollowOneThatMakesItsImageAnew(t *testing.T) {
	engine := newEngine(t)
	engine.SetProgram(func(p *fakeengine.Process) int {
		engine.SetProgram(compile)
		image, err := newBuilder(t, engine).build(t.Context(), t)
		assert.NoError(t, err)
		assertImage(t, engine, image)
		return compile(p)
	})
	b := newBuilder(t, engine)
	require.NoError(t, b.Anew(t.Context(), plan, newPackage(t), "basic_1.0"))
	assert.Len(t, imagesOf(engine, metadata.KindChaincode), 1)
	assert.Contains(t, b.output.String(), "made the image anew: it is the same as before")
	assertNothingLeft(t, engine)
}

func TestWhatCannotBeMadeAnewStaysAsItIs(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine := newNodeEngine(t, officialScript, 0o755, flavour...)
			_, image := buildNode(t, engine, nodePlan, "one", "lock 1")
			names, files := engine.Images(), inTarget(t, engine, image)
			engine.SetProgram(fails(1))
			b := newBuilder(t, engine)
			err := b.Anew(t.Context(), nodePlan, open(t, nodeSource(t, "one", "lock 1")), "basic_1.0")
			require.EqualError(t, err, "the build ended with exit status 1: main.go:1: undefined: x; its output is above")
			assert.Equal(t, names, engine.Images())
			assert.Equal(t, files, inTarget(t, engine, image))
			assertNothingLeft(t, engine)

			// Both are made, and cannot take the place of the others.
			engine.SetProgram(newer)
			snapshot := snapshots(engine)
			engine.On(fakeengine.Tag, fakeengine.Fail(500, "disk full"))
			err = newBuilder(t, engine).Anew(t.Context(), nodePlan, open(t, nodeSource(t, "one", "lock 1")), "basic_1.0")
			require.ErrorContains(t, err, "disk full")
			assert.Equal(t, snapshot, snapshots(engine))
			assert.Equal(t, []string{image.Name}, imagesOf(engine, metadata.KindChaincode))
			assert.Equal(t, files, inTarget(t, engine, image))
			assertNothingLeft(t, engine)
		})
	}
}

// A signal at any step leaves the images that exist, no container, and no image under a temporary name.
func TestASignalWhileAnImageIsMadeAnewLeavesNothing(t *testing.T) {
	for _, route := range []fakeengine.Route{fakeengine.Create, fakeengine.Start, fakeengine.Upload, fakeengine.Download, fakeengine.Load} {
		for _, n := range []int64{1, 2} {
			engine := newNodeEngine(t, officialScript, 0o755)
			_, image := buildNode(t, engine, nodePlan, "one", "lock 1")
			names := engine.Images()
			ctx, stop := context.WithCancelCause(t.Context())
			engine.On(route, fakeengine.Nth(n, fakeengine.Before(func() { stop(signalled{}) })))
			err := newBuilder(t, engine).Anew(ctx, nodePlan, open(t, nodeSource(t, "one", "lock 1")), "basic_1.0")
			if ctx.Err() != nil && err != nil {
				require.ErrorIs(t, err, signalled{}, "%v", route)
			}
			assert.Equal(t, names, engine.Images(), "%v", route)
			assert.Len(t, inTarget(t, engine, image), 6)
			assertNothingLeft(t, engine)
		}
	}
}

// If the image is not there, what the peer uses has another name, and the operator should know.
func TestAnImageThatIsNotThereIsMadeWithAWarning(t *testing.T) {
	engine := newEngine(t)
	b := newBuilder(t, engine)
	require.NoError(t, b.Anew(t.Context(), plan, newPackage(t), "basic_1.0"))
	assert.Contains(t, b.output.String(), "[WARN]  build: there was no image of this name: it was removed, or the package was installed with other settings")
	image, err := newBuilder(t, engine).build(t.Context(), t)
	require.NoError(t, err)
	assertBuilt(t, engine, image)
}

// Newer base images would give the image another name.
func TestBaseImagesAreNotPulledToMakeAnImageAnew(t *testing.T) {
	engine := newEngine(t)
	first, err := newBuilder(t, engine).build(t.Context(), t)
	require.NoError(t, err)
	changed := builderImage
	changed.Layers = []string{"sha256:newer"}
	engine.Publish(changed)
	b := newBuilder(t, engine)
	b.Pulls = baseimage.Pulls{Policy: config.PullAlways}
	require.NoError(t, b.Anew(t.Context(), plan, newPackage(t), "basic_1.0"))
	assert.Empty(t, engine.Calls(fakeengine.Pull))
	assert.Equal(t, []string{first.Name}, imagesOf(engine, metadata.KindChaincode))
}

func TestAnImageOfADockerfileIsMadeAnew(t *testing.T) {
	r := &recipeBuild{files: recipeFiles}
	image, _, err := r.run(t)
	require.NoError(t, err)
	calls := len(r.engine.Calls(fakeengine.Build))
	anew := func(made fakeengine.Image) (string, error) {
		r.engine.SetBuilder(func(request *fakeengine.BuildRequest) *fakeengine.Image {
			io.WriteString(request.Answer, `{"stream":"built\n"}`)
			return &made
		})
		source := t.TempDir()
		for name, text := range recipeFiles {
			writeFile(t, source, name, text)
		}
		b := newBuilder(t, r.engine)
		err := b.Anew(t.Context(), platform.Plan{Type: "docker", Kind: platform.Dockerfile}, open(t, source), "cc_1")
		return b.output.String(), err
	}
	said, err := anew(fakeengine.Image{User: "700:700", Command: []string{"newer"}})
	require.NoError(t, err, said)
	query := r.engine.Calls(fakeengine.Build)[calls].Query
	assert.Equal(t, "1", query.Get("nocache"), "what steps have installed is not used again")
	assert.Empty(t, query.Get("pull"), "base images are pulled as the policy says")
	assert.Equal(t, []string{image.Name, "x:latest"}, r.engine.Images())
	made, _ := r.engine.Image(image.Name)
	assert.Equal(t, []string{"newer"}, made.Command)
	assert.Empty(t, r.engine.Unnamed())

	_, err = anew(fakeengine.Image{})
	require.ErrorContains(t, err, "neither ENTRYPOINT nor CMD")
	assert.Equal(t, []string{image.Name, "x:latest"}, r.engine.Images())
	made, _ = r.engine.Image(image.Name)
	assert.Equal(t, []string{"newer"}, made.Command, "what cannot be started replaces nothing")
}

func TestSomePackagesHaveNothingToMakeAnew(t *testing.T) {
	for says, plan := range map[string]platform.Plan{
		"the package names its image by a digest": {Kind: platform.Prebuilt, Runtime: platform.Image{Name: "x@sha256:0"}},
		"the chaincode runs as a service":         {Kind: platform.Service},
	} {
		engine := newEngine(t)
		b := newBuilder(t, engine)
		require.NoError(t, b.Anew(t.Context(), plan, newPackage(t), "cc_1"))
		assert.Contains(t, b.output.String(), "nothing to make anew: "+says)
		assert.Empty(t, engine.Calls(fakeengine.ImageInspect, fakeengine.Pull, fakeengine.Tag))
	}
}

// What is pruned meanwhile is made again.
func TestASnapshotThatIsPrunedWhileItsImageIsMadeAnewIsMadeAgain(t *testing.T) {
	engine := newNodeEngine(t, officialScript, 0o755)
	_, image := buildNode(t, engine, nodePlan, "one", "lock 1")
	engine.SetProgram(newer)
	engine.On(fakeengine.Load, fakeengine.Nth(2, fakeengine.Before(func() {
		for _, name := range snapshots(engine) {
			if strings.Contains(name, "-snapshot:") && strings.Count(name, "-") > 2 {
				engine.RemoveImage(name)
			}
		}
	})))
	require.NoError(t, newBuilder(t, engine).Anew(t.Context(), nodePlan, open(t, nodeSource(t, "one", "lock 1")), "basic_1.0"))
	assert.Len(t, snapshots(engine), 1)
	assert.Equal(t, "newer shim", inTarget(t, engine, image)["/usr/local/src/node_modules/shim/index.js"])
	assertNothingLeft(t, engine)
}

// Whoever installs a package that leaves versions open learns that they are chosen, and how to get newer ones.
func TestABuildSaysThatItHasChosenVersions(t *testing.T) {
	engine := newEngine(t)
	open := plan
	open.Unpinned = "there is no lock file"
	const line = ": to get newer ones, use build --anew PACKAGE.tar.gz: reason=\"there is no lock file\"\n"
	for i, want := range []string{
		"the versions of dependencies were chosen by this build and stay", "the versions of dependencies are those that the first build of this image chose",
	} {
		b := newBuilder(t, engine)
		_, err := b.Build(t.Context(), open, newPackage(t), "basic_1.0")
		require.NoError(t, err)
		assert.Equal(t, 1, strings.Count(b.output.String(), "build --anew"))
		assert.Contains(t, b.output.String(), "build: "+want+line, i)
	}
	b := newBuilder(t, engine)
	_, err := b.build(t.Context(), t)
	require.NoError(t, err)
	assert.NotContains(t, b.output.String(), "--anew")
}

// An image with a name, or one that a container uses, is not removed.
func TestOnlyImagesWithoutANameAreRemoved(t *testing.T) {
	engine := newEngine(t)
	client, err := docker.Connect(t.Context(), engine.Host())
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	named, err := client.Image(t.Context(), "baseos:1")
	require.NoError(t, err)
	require.NoError(t, client.RemoveUnnamed(t.Context(), named.ID))
	_, ok := engine.Image("baseos:1")
	assert.True(t, ok)
	require.NoError(t, client.RemoveUnnamed(t.Context(), "sha256:"+strings.Repeat("0", 64)), "it is gone already")
	require.NoError(t, client.Tag(t.Context(), "ccenv:1", "baseos:1"))
	require.Len(t, engine.Unnamed(), 1)
	_, _ = create(t, engine, "user", named.ID)
	err = client.RemoveUnnamed(t.Context(), named.ID)
	require.Error(t, err)
	require.False(t, errors.Is(err, docker.ErrNoImage))
	engine.RemoveContainer("user")
	require.NoError(t, client.RemoveUnnamed(t.Context(), named.ID))
	assert.Empty(t, engine.Unnamed())
}

// What a java package downloads is chosen again, and so is the image that its code is built in.
func TestAJavaPackageIsMadeAnew(t *testing.T) {
	engine := newJavaEngine(t)
	_, image := buildJava(t, engine, "one")
	before := snapshots(engine)
	m := &maven{ahead: []string{"org/newer/2/newer.jar"}}
	engine.SetProgram(m.run)
	b := newBuilder(t, engine)
	require.NoError(t, b.Anew(t.Context(), javaPlan, open(t, javaSource(t, "one")), "basic_1.0"), b.output.String())
	assert.Equal(t, []int{1, 1}, []int{m.resolved, m.built})
	assert.Equal(t, before, snapshots(engine))
	snapshot, _ := engine.Image(before[0])
	assert.NotEmpty(t, snapshot.Files.Read(repository+"/org/newer/2/newer.jar"))
	assert.Equal(t, []string{image.Name}, imagesOf(engine, metadata.KindChaincode))
	made, _ := engine.Image(image.Name)
	assert.Equal(t, before[0], made.Labels["fabric-builder-docker.snapshot"])
	assertNothingLeft(t, engine)
}

// A snapshot that holds too few downloads is not kept, and the one that is there stays.
func TestASnapshotThatHoldsTooFewReplacesNothing(t *testing.T) {
	engine := newJavaEngine(t)
	buildJava(t, engine, "one")
	before := snapshots(engine)
	old, _ := engine.Image(before[0])
	engine.SetProgram((&maven{status: 1, later: []string{"org/a/1/a.jar", "org/b/1/b.jar"}}).run)
	b := newBuilder(t, engine)
	require.NoError(t, b.Anew(t.Context(), javaPlan, open(t, javaSource(t, "one")), "basic_1.0"), b.output.String())
	assert.Equal(t, before, snapshots(engine))
	kept, _ := engine.Image(before[0])
	assert.Equal(t, old.Labels, kept.Labels)
	assert.Empty(t, engine.Unnamed())
	assertNothingLeft(t, engine)
}

// A builder that is killed leaves an image under a temporary name. Its age is in the name.
func TestImagesOfKilledBuildsAreRemovedWhenAnImageIsMadeAnew(t *testing.T) {
	const digest = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	engine := newEngine(t)
	b := newBuilder(t, engine)
	temporary := func(prefix string, age time.Duration) string {
		return fmt.Sprintf("%s/golang:%s-%x-0123456789abcdef", prefix, digest, time.Now().Add(-age).Unix())
	}
	old := temporary(b.Prefix, 2*time.Hour)
	kept := []string{
		temporary(b.Prefix, 59*time.Minute), temporary(b.Prefix, -time.Hour), temporary("other", 2*time.Hour), b.Prefix + "/golang:" + digest,
		b.Prefix + "/golang:" + digest + "-0123456789abcdef", "brought/golang:" + digest,
	}
	for i, name := range append([]string{old}, kept...) {
		engine.AddImage(fakeengine.Image{Name: name, Env: []string{fmt.Sprint("N=", i)}})
	}
	require.NoError(t, b.Anew(t.Context(), plan, newPackage(t), "basic_1.0"))
	assert.NotContains(t, engine.Images(), old)
	assert.Subset(t, engine.Images(), kept)

	engine.AddImage(fakeengine.Image{Name: old})
	engine.On(fakeengine.ImageList, fakeengine.Fail(403, "refused by the proxy"))
	require.NoError(t, newBuilder(t, engine).Anew(t.Context(), plan, newPackage(t), "basic_1.0"))
	assert.Contains(t, engine.Images(), old)
}
