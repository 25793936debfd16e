// SPDX-License-Identifier: Apache-2.0

package imagebuild_test

import (
	"archive/tar"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/imagebuild"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
	"fabric-builder-docker/test/fakeengine"
)

// flavours are engines that answer differently.
var flavours = map[string][]fakeengine.Option{
	"docker 20.10":                    {fakeengine.API("1.41", "1.12")},
	"docker 28":                       nil,
	"docker 29, containerd's store":   {fakeengine.ContainerdStore()},
	"docker 29.2, containerd's store": {fakeengine.ContainerdStore(), fakeengine.BlobService()},
	"podman":                          {fakeengine.Podman()},
}

func TestABuildMakesAnImage(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine := newEngine(t, flavour...)
			b := newBuilder(t, engine)
			image, err := b.build(t.Context(), t)
			require.NoError(t, err)

			assert.Regexp(t, `^fabric-chaincode/golang:[0-9a-f]{64}$`, image.Name)
			assert.Equal(t, &metadata.UIDGID{UID: 500, GID: 501}, image.User, "as the runtime image's passwd says")
			assertBuilt(t, engine, image)
			assert.Contains(t, b.output.String(), "basic_1.0 | compiling\n")
			assert.Contains(t, b.output.String(), "basic_1.0 | a warning\n")

			made, _ := engine.Image(image.Name)
			assert.Equal(t, map[string]string{
				metadata.LabelKind:                   metadata.KindChaincode,
				metadata.LabelChaincodeType:          "GOLANG",
				metadata.LabelFabricVersion:          "3.1",
				"fabric-builder-docker.user":         "500:501",
				"fabric-builder-docker.tls-by-input": "false",
			}, made.Labels)
			assert.Equal(t, []string{"CORE_CHAINCODE_BUILDLEVEL=3.1"}, made.Env, "nothing of the build's environment reaches the image")
			file, _ := made.Files.Get("/usr/local/bin/chaincode")
			assert.Equal(t, int64(0o755), file.Header.Mode)
			assert.Equal(t, []string{"/etc", "/etc/passwd", "/usr", "/usr/local", "/usr/local/bin", "/usr/local/bin/chaincode"},
				made.Files.Names("/"), "runtime image and output, nothing of the input")
		})
	}
}

func TestTheBuildContainerGetsThePackageWithoutMetaInf(t *testing.T) {
	engine := newEngine(t)
	var names []string
	var output, cache, main fakeengine.File
	engine.SetProgram(func(p *fakeengine.Process) int {
		names = p.Files.Names("/chaincode")
		output, _ = p.Files.Get(platform.OutputDir)
		cache, _ = p.Files.Get(platform.CacheDir)
		main, _ = p.Files.Get(platform.InputDir + "/src/main.go")
		return compile(p)
	})
	_, err := newBuilder(t, engine).build(t.Context(), t)
	require.NoError(t, err)
	assert.Equal(t, []string{
		"/chaincode/cache", "/chaincode/input", "/chaincode/input/src", "/chaincode/input/src/go.mod", "/chaincode/input/src/main.go",
		"/chaincode/input/src/vendor", "/chaincode/input/src/vendor/modules.txt", "/chaincode/output",
	}, names)
	assert.Equal(t, int64(0o777), output.Header.Mode, "for whichever user the builder image has")
	assert.Equal(t, int64(0o777), cache.Header.Mode)
	assert.Equal(t, "package main", string(main.Content))
	assert.Len(t, engine.Volumes(), 1)
}

func TestAnImageThatIsThereIsNotBuiltAgain(t *testing.T) {
	engine := newEngine(t)
	first, err := newBuilder(t, engine).build(t.Context(), t)
	require.NoError(t, err)
	before := len(engine.Calls(fakeengine.Create, fakeengine.VolumeCreate, fakeengine.Commit))

	b := newBuilder(t, engine)
	second, err := b.build(t.Context(), t)
	require.NoError(t, err)
	assert.Equal(t, first, second)
	assert.Contains(t, b.output.String(), "the image exists already")
	assert.Len(t, engine.Calls(fakeengine.Create, fakeengine.VolumeCreate, fakeengine.Commit), before, "nothing is created")
}

// Each look takes an engine a millisecond or more: one ahead of the build, and one with the build's lock.
func TestABuildLooksForItsImageTwice(t *testing.T) {
	engine := newEngine(t)
	image, err := newBuilder(t, engine).build(t.Context(), t)
	require.NoError(t, err)
	looks := 0
	for _, call := range engine.Calls(fakeengine.ImageInspect) {
		if strings.TrimSuffix(call.Target, "/json") == image.Name {
			looks++
		}
	}
	assert.Equal(t, 2, looks)
}

func TestEqualContentGivesEqualLayers(t *testing.T) {
	var layers [2][]string
	for i := range layers {
		engine := newEngine(t)
		image, err := newBuilder(t, engine).build(t.Context(), t)
		require.NoError(t, err)
		made, _ := engine.Image(image.Name)
		layers[i] = made.Layers
	}
	assert.Equal(t, layers[0], layers[1])
	assert.Len(t, layers[0], 2, "one layer on top of the runtime image")
}

func TestAFailingBuildIsToldWithItsOutputAndStatus(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine := newEngine(t, flavour...)
			engine.SetProgram(fails(3))
			b := newBuilder(t, engine)
			_, err := b.build(t.Context(), t)
			var failed *imagebuild.Failed
			require.ErrorAs(t, err, &failed)
			assert.Equal(t, imagebuild.Failed{Status: 3, Reason: "main.go:1: undefined: x"}, *failed)
			assert.EqualError(t, err, "the build ended with exit status 3: main.go:1: undefined: x; its output is above")
			assert.Contains(t, b.output.String(), "basic_1.0 | main.go:1: undefined: x\n")
			assert.Equal(t, 1, created(engine, buildPart), "a build that fails is not tried again")
			assertNothingLeft(t, engine)
		})
	}
}

func TestABuildThatRunsOutOfMemorySaysSo(t *testing.T) {
	engine := newEngine(t)
	engine.SetProgram(func(p *fakeengine.Process) int { return p.OutOfMemory() })
	_, err := newBuilder(t, engine).build(t.Context(), t)
	assert.ErrorContains(t, err, "the build ran out of memory (exit status 137): builder.build.memory limits it")
	assertNothingLeft(t, engine)
}

func TestABuildThatLeavesNothingFails(t *testing.T) {
	engine := newEngine(t)
	engine.SetProgram(func(*fakeengine.Process) int { return 0 })
	_, err := newBuilder(t, engine).build(t.Context(), t)
	assert.ErrorContains(t, err, "the build left nothing in its output directory")
	assert.Empty(t, engine.Calls(fakeengine.Commit))
	assertNothingLeft(t, engine)
}

// An image with half of the output would be taken for the result for ever.
func TestAnOutputThatArrivesInPartMakesNoImage(t *testing.T) {
	engine := newEngine(t)
	engine.On(fakeengine.Download, fakeengine.Of(buildPart, fakeengine.Cut(1000)))
	_, err := newBuilder(t, engine).build(t.Context(), t)
	assert.ErrorContains(t, err, "copying the build's output")
	assert.Empty(t, engine.Calls(fakeengine.Commit))
	assert.Empty(t, imagesOf(engine, metadata.KindChaincode))
	assertNothingLeft(t, engine)
}

func TestTheOutputThatIsCutDoesNotDecideTheBuild(t *testing.T) {
	engine := newEngine(t)
	engine.On(fakeengine.Logs, fakeengine.Cut(10)) // in the middle of a frame
	b := newBuilder(t, engine)
	image, err := b.build(t.Context(), t)
	require.NoError(t, err)
	assert.Contains(t, b.output.String(), "the build's output is incomplete")
	assertBuilt(t, engine, image)
}

// A build that prints faster than its output is read loses lines, which is said even if all that comes later is there.
func TestLinesThatTheLogHasLostAreReported(t *testing.T) {
	engine := newEngine(t)
	engine.SetProgram(func(p *fakeengine.Process) int {
		p.Stdout.Write([]byte("first\n"))
		engine.Await(t, fakeengine.Logs, len(engine.Calls(fakeengine.Logs))+3) // it has been read
		engine.On(fakeengine.Logs, fakeengine.Once(fakeengine.Before(func() {
			for range 100 {
				p.Stdout.Write([]byte("lost\n"))
			}
			p.Stdout.Write([]byte("kept\n"))
			engine.Rotate(p.Container.Name, 1)
		})))
		engine.Await(t, fakeengine.Logs, len(engine.Calls(fakeengine.Logs))+3)
		return compile(p)
	})
	b := newBuilder(t, engine)
	image, err := b.build(t.Context(), t)
	require.NoError(t, err)
	assertBuilt(t, engine, image)
	assert.Contains(t, b.output.String(), "basic_1.0 | kept\n")
	assert.Contains(t, b.output.String(), "the build's output is incomplete")
	assert.Contains(t, b.output.String(), "lost lines by rotation")
}

func TestABaseImageIsPulledWhereItIsMissing(t *testing.T) {
	engine := newEngine(t)
	engine.RemoveImage("ccenv:1")
	engine.Publish(builderImage)
	b := newBuilder(t, engine)
	image, err := b.build(t.Context(), t)
	require.NoError(t, err)
	assertBuilt(t, engine, image)
	assert.Len(t, engine.Calls(fakeengine.Pull), 1, "the other one is there")
	assert.Contains(t, b.output.String(), "layer: Pull complete")
	assert.NotContains(t, b.output.String(), "Downloading", "no progress bars")
}

func TestABaseImageThatCannotBeHadIsNamedWithReasonAndSetting(t *testing.T) {
	for name, flavour := range flavours {
		for _, status := range []int{0, http.StatusNotFound} {
			t.Run(name, func(t *testing.T) {
				engine := newEngine(t, flavour...)
				engine.RemoveImage("baseos:1")
				if status != 0 {
					engine.On(fakeengine.Pull, fakeengine.Fail(status, "manifest unknown"))
				}
				_, err := newBuilder(t, engine).build(t.Context(), t)
				require.Error(t, err)
				for _, part := range []string{`runtime image "baseos:1"`, "manifest unknown", "chaincode.golang.runtime"} {
					assert.ErrorContains(t, err, part)
				}
				assert.Len(t, engine.Calls(fakeengine.Pull), 1, "a missing image does not come by trying again")
				assert.Empty(t, engine.Calls(fakeengine.Create))
			})
		}
	}
}

func TestARuntimeImageWithAVolumeOverTheTargetIsRefused(t *testing.T) {
	for volume, refused := range map[string]bool{
		"/usr/local/bin": true, "/usr/local/bin/": true, "/usr": true, "/": true,
		"/usr/local/bin/data": true, "/usr/local/bin/data/": true, "/usr/local//bin/a/b": true,
		"/usr/local/binary": false, "/data": false,
	} {
		t.Run(volume, func(t *testing.T) {
			engine := newEngine(t)
			image := runtimeImage
			image.Volumes = []string{volume}
			engine.AddImage(image)
			_, err := newBuilder(t, engine).build(t.Context(), t)
			if !refused {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, "baseos:1")
			assert.ErrorContains(t, err, "chaincode.golang.runtime")
			assert.Empty(t, engine.Calls(fakeengine.Create))
		})
	}
}

func TestTheUserOfTheRuntimeImageIsFound(t *testing.T) {
	tests := map[string]struct {
		user string
		want metadata.UIDGID
	}{
		"none":        {"", metadata.UIDGID{}},
		"root":        {"root", metadata.UIDGID{}},
		"an id":       {"1000", metadata.UIDGID{UID: 1000}},
		"two ids":     {"1000:1001", metadata.UIDGID{UID: 1000, GID: 1001}},
		"a name":      {"chaincode", metadata.UIDGID{UID: 500, GID: 501}},
		"root, group": {"root:root", metadata.UIDGID{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			engine := newEngine(t)
			image := runtimeImage
			image.User = test.user
			engine.AddImage(image)
			made, err := newBuilder(t, engine).build(t.Context(), t)
			require.NoError(t, err)
			assert.Equal(t, &test.want, made.User)
		})
	}
}

func TestTheUserIsLookedUpAgainAfterAPrune(t *testing.T) {
	engine := newEngine(t)
	engine.On(fakeengine.Download, fakeengine.Of(assemblyPart, fakeengine.Once(fakeengine.Before(engine.Prune))))
	image, err := newBuilder(t, engine).build(t.Context(), t)
	require.NoError(t, err)
	assert.Equal(t, &metadata.UIDGID{UID: 500, GID: 501}, image.User)
	assertBuilt(t, engine, image)
}

func TestABuildEndsWithItsTimeOut(t *testing.T) {
	engine := newEngine(t)
	engine.SetProgram(fakeengine.Serve(0))
	b := newBuilder(t, engine)
	b.Periods.Build = 500 * time.Millisecond
	_, err := b.build(t.Context(), t)
	require.ErrorIs(t, err, imagebuild.ErrTimeout)
	assert.EqualError(t, err, "the build took too long: more than 500ms, see builder.buildTimeout")
	assertNothingLeft(t, engine)
}

// Whatever a builder does when it is told to stop, it leaves no container.
func TestASignalLeavesNoContainerBehind(t *testing.T) {
	signal := signalled{}
	for _, route := range []fakeengine.Route{
		fakeengine.ImageInspect, fakeengine.VolumeInspect, fakeengine.VolumeCreate, fakeengine.Create, fakeengine.Logs,
		fakeengine.Wait, fakeengine.Upload, fakeengine.Start, fakeengine.Inspect, fakeengine.Download, fakeengine.Stat, fakeengine.Load,
	} {
		for _, part := range []string{buildPart, assemblyPart, ""} {
			for name, fault := range map[string]func(stop func()) fakeengine.Fault{
				"before": fakeengine.Before, "after": fakeengine.After,
			} {
				t.Run(string(route)+" "+part+" "+name, func(t *testing.T) {
					t.Parallel()
					engine := newEngine(t)
					ctx, cancel := context.WithCancelCause(t.Context())
					engine.On(route, fakeengine.Of(part, fakeengine.Once(fault(func() { cancel(signal) }))))
					_, err := newBuilder(t, engine).build(ctx, t)
					if err != nil {
						assert.ErrorIs(t, err, signal, "the reason is told")
					}
					assertNothingLeft(t, engine)
				})
			}
		}
	}
}

func TestASignalEndsACallThatHangs(t *testing.T) {
	signal := signalled{}
	for _, route := range []fakeengine.Route{
		fakeengine.ImageInspect, fakeengine.VolumeInspect, fakeengine.VolumeCreate, fakeengine.Logs,
		fakeengine.Wait, fakeengine.Upload, fakeengine.Start, fakeengine.Inspect, fakeengine.Download, fakeengine.Load,
	} {
		t.Run(string(route), func(t *testing.T) {
			t.Parallel()
			engine := newEngine(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			engine.On(route, fakeengine.Before(func() { cancel(signal) }))
			engine.On(route, fakeengine.Hang())
			_, err := newBuilder(t, engine).build(ctx, t)
			assert.ErrorIs(t, err, signal)
			assertNothingLeft(t, engine)
		})
	}
}

func TestASignalDuringTheBuildEndsIt(t *testing.T) {
	signal := signalled{}
	engine := newEngine(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	engine.SetProgram(func(p *fakeengine.Process) int {
		cancel(signal)
		return p.Serve(0)
	})
	_, err := newBuilder(t, engine).build(ctx, t)
	assert.ErrorIs(t, err, signal)
	assertNothingLeft(t, engine)
}

// signalled is any reason to stop.
type signalled struct{}

func (signalled) Error() string { return "stopped by a signal" }

func TestWhatIsPrunedInBetweenIsMadeAgain(t *testing.T) {
	tests := map[string]struct {
		route fakeengine.Route
		part  string
	}{
		"before the wait":              {fakeengine.Wait, buildPart},
		"before the upload":            {fakeengine.Upload, buildPart},
		"before the start":             {fakeengine.Start, buildPart},
		"before the end is looked at":  {fakeengine.Inspect, buildPart},
		"before the download":          {fakeengine.Download, buildPart},
		"before the passwd is read":    {fakeengine.Download, assemblyPart},
		"before the load":              {fakeengine.Load, ""},
		"before the assembly's upload": {fakeengine.Upload, assemblyPart},
		"before the commit":            {fakeengine.Commit, assemblyPart},
	}
	for flavour, options := range flavours {
		for name, test := range tests {
			t.Run(flavour+" "+name, func(t *testing.T) {
				t.Parallel()
				engine := newEngine(t, options...)
				engine.On(test.route, fakeengine.Of(test.part, fakeengine.Once(fakeengine.Before(engine.Prune))))
				image, err := newBuilder(t, engine).build(t.Context(), t)
				require.NoError(t, err)
				assertBuilt(t, engine, image)
			})
		}
	}
}

func TestABaseImageThatIsPrunedInBetweenIsPulledAgain(t *testing.T) {
	for _, image := range []fakeengine.Image{builderImage, runtimeImage} {
		t.Run(image.Name, func(t *testing.T) {
			engine := newEngine(t)
			engine.Publish(image)
			engine.On(fakeengine.Create, fakeengine.Once(fakeengine.Before(func() { engine.RemoveImage(image.Name) })))
			made, err := newBuilder(t, engine).build(t.Context(), t)
			require.NoError(t, err)
			assertBuilt(t, engine, made)
		})
	}
}

func TestAnEngineThatPrunesAllTheTimeIsGivenUp(t *testing.T) {
	engine := newEngine(t)
	engine.On(fakeengine.Start, fakeengine.Before(engine.Prune))
	_, err := newBuilder(t, engine).build(t.Context(), t)
	require.ErrorContains(t, err, "No such container")
	assert.Equal(t, 5, created(engine, buildPart))
	assertNothingLeft(t, engine)
}

// A container that is removed before it ever ran answers a wait with 0.
func TestAWaitsAnswerAloneIsNoSuccess(t *testing.T) {
	engine := newEngine(t)
	engine.On(fakeengine.Start, fakeengine.Once(func(c *fakeengine.Call) {
		engine.RemoveContainer(c.Target)
		fakeengine.Answer(http.StatusNoContent, "")(c)
	}))
	image, err := newBuilder(t, engine).build(t.Context(), t)
	require.NoError(t, err)
	assertBuilt(t, engine, image)
	assert.Equal(t, 2, created(engine, buildPart), "the first one has built nothing")
}

func TestAWaitThatAnswersWhileTheBuildRunsIsNoSuccess(t *testing.T) {
	engine := newEngine(t)
	engine.SetProgram(fakeengine.Serve(0))
	engine.On(fakeengine.Wait, fakeengine.Answer(http.StatusOK, `{"StatusCode":0}`))
	_, err := newBuilder(t, engine).build(t.Context(), t)
	require.ErrorContains(t, err, "the build ended but its container is running")
	assert.Empty(t, engine.Calls(fakeengine.Commit))
	assertNothingLeft(t, engine)
}

func TestARemovalThatFailsIsTold(t *testing.T) {
	engine := newEngine(t)
	engine.On(fakeengine.Remove, fakeengine.Fail(http.StatusInternalServerError, "device or resource busy"))
	b := newBuilder(t, engine)
	b.Periods.Cleanup = 400 * time.Millisecond // one attempt, with time for its answer
	image, err := b.build(t.Context(), t)
	require.NoError(t, err, "the image is good all the same")
	_, ok := engine.Image(image.Name)
	assert.True(t, ok)
	assert.Contains(t, b.output.String(), "cannot remove a container of this build: a later build will remove it")
	assert.Contains(t, b.output.String(), "device or resource busy")
}

func TestTheOutputStandsInTheImageWithoutWhatDoesNotBelongThere(t *testing.T) {
	engine := newEngine(t)
	engine.SetProgram(func(p *fakeengine.Process) int {
		p.Files.Add(platform.OutputDir+"/dev", tar.Header{Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}, "")
		p.Files.Add(platform.OutputDir+"/lib", tar.Header{Typeflag: tar.TypeDir, Mode: 0o2700, Uid: 500}, "")
		p.Files.Add(platform.OutputDir+"/lib/link", tar.Header{Typeflag: tar.TypeSymlink, Linkname: "../chaincode"}, "")
		return compile(p)
	})
	image, err := newBuilder(t, engine).build(t.Context(), t)
	require.NoError(t, err)
	made, _ := engine.Image(image.Name)
	assert.Equal(t, []string{"/usr/local/bin/chaincode", "/usr/local/bin/lib", "/usr/local/bin/lib/link"}, made.Files.Names("/usr/local/bin"))
	link, _ := made.Files.Get("/usr/local/bin/lib/link")
	assert.Equal(t, "../chaincode", link.Header.Linkname)
}

// A request for the clock costs a look at the whole engine: only those who wait for others need it.
func TestABuildAloneDoesNotAskForTheClock(t *testing.T) {
	engine := newEngine(t)
	_, err := newBuilder(t, engine).build(t.Context(), t)
	require.NoError(t, err)
	assert.Empty(t, engine.Calls(fakeengine.Info))
}

// Nobody reads the output of a build that has succeeded. Of one that has failed, all of it is shown, and the reason comes last.
func TestOutputIsSummedUpUnlessTheBuildFails(t *testing.T) {
	engine := newEngine(t)
	b := newBuilder(t, engine)
	b.Limits.Summarize, b.Periods.Silence = true, time.Microsecond
	engine.SetProgram(func(p *fakeengine.Process) int {
		assert.True(t, b.awaitLine("still building: for="))
		return compile(p)
	})
	_, err := b.build(t.Context(), t)
	require.NoError(t, err)
	assert.NotContains(t, b.output.String(), "basic_1.0 | compiling\n")
	assert.Contains(t, b.output.String(), "the code is built: took=")

	engine = newEngine(t)
	engine.SetProgram(fails(3))
	b = newBuilder(t, engine)
	b.Limits.Summarize = true
	_, err = b.build(t.Context(), t)
	require.ErrorContains(t, err, "undefined: x")
	assert.Contains(t, b.output.String(), "basic_1.0 | main.go:1: undefined: x\n")
}
