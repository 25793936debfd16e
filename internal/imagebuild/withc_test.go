// SPDX-License-Identifier: Apache-2.0

package imagebuild_test

import (
	"archive/tar"
	"encoding/json"
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

// planWithC is a plan whose build says that it needs C.
func planWithC() platform.Plan {
	p := plan
	c, base := plan, plan
	base.Type, base.Command, base.Caches, base.Target = "golang-std", []string{"/bin/sh", "-c", "standard"}, nil, "/std"
	c.Command, c.Environment, c.Base, c.NoNetwork = []string{"/bin/sh", "-c", "with C"}, []string{"GOPROXY=off"}, &base, true
	c.Caches = []platform.Cache{{Path: "/chaincode/cache/mod"}}
	modules := plan
	modules.Command, modules.Environment = []string{"/bin/sh", "-c", "modules"}, []string{"GOPROXY=https://user:secret@proxy"}
	modules.Caches = []platform.Cache{{Name: "go-modules", Path: "/mod"}}
	c.Modules = &modules
	p.WithC = &c
	return p
}

// needsC is what the containers of such a build do.
func needsC(p *fakeengine.Process) int {
	switch command := p.Container.Command[len(p.Container.Command)-1]; command {
	case "compile":
		return platform.NeedsC
	case "modules":
		p.Files.Add(platform.OutputDir+"/mod/x@v1/x.go", tar.Header{Typeflag: tar.TypeReg, Mode: 0o444}, "package x")
		return 0
	case "standard":
		p.Files.Add(platform.OutputDir+"/00/a-d", tar.Header{Typeflag: tar.TypeReg, Mode: 0o644}, "compiled")
		return 0
	}
	if p.Files.Read("/std/00/a-d") != "compiled" || p.Files.Read(platform.CacheDir+"/mod/x@v1/x.go") != "package x" {
		return 1
	}
	return compile(p)
}

// A build that needs C goes on in a second container: from an image that only the builder image took part in, without a
// network, credentials or volumes, and with the modules that a third container has collected.
func TestABuildThatNeedsC(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine := newEngine(t, flavour...)
			engine.SetProgram(needsC)
			b := newBuilder(t, engine)
			image, err := b.Build(t.Context(), planWithC(), newPackage(t), "basic_1.0")
			require.NoError(t, err, b.output.String())
			assertBuilt(t, engine, image)
			assert.Contains(t, b.output.String(), "the package needs a C compiler")

			var last struct {
				Image      string
				Env        []string
				HostConfig struct {
					NetworkMode string
					Binds       []string
				}
			}
			for _, call := range engine.Calls(fakeengine.Create) {
				if strings.HasSuffix(call.Target, "-c") {
					require.NoError(t, json.Unmarshal(call.Body, &last))
				}
			}
			std, _ := engine.Image(last.Image)
			assert.Contains(t, std.Name, "fabric-chaincode/golang-std:")
			assert.Equal(t, []string{"GOPROXY=off"}, last.Env)
			assert.Equal(t, "none", last.HostConfig.NetworkMode)
			assert.Empty(t, last.HostConfig.Binds)
			assertNothingLeft(t, engine)

			before := len(engine.Calls(fakeengine.Start))
			other := planWithC()
			other.DigestInputs = []string{"A=1"}
			_, err = newBuilder(t, engine).Build(t.Context(), other, newPackage(t), "basic_1.0")
			require.NoError(t, err)
			assert.Len(t, engine.Calls(fakeengine.Start), before+3, "the image with the standard library exists already")
		})
	}
}

func TestManyBuildersOfAPackageThatNeedsC(t *testing.T) {
	engine := newEngine(t)
	engine.SetProgram(needsC)
	errs := make(chan error, builders)
	for range builders {
		b, pkg := newBuilder(t, engine), newPackage(t)
		go func() {
			_, err := b.Build(t.Context(), planWithC(), pkg, "basic_1.0")
			errs <- err
		}()
	}
	for range builders {
		require.NoError(t, <-errs)
	}
	assert.Len(t, snapshots(engine), 1, "one image with the standard library")
	assert.Len(t, imagesOf(engine, metadata.KindChaincode), 1)
	assertNothingLeft(t, engine)
}

// A package without C cannot end its build like that.
func TestTheStatusMeansNothingElsewhere(t *testing.T) {
	engine := newEngine(t)
	engine.SetProgram(fails(platform.NeedsC))
	_, err := newBuilder(t, engine).build(t.Context(), t)
	var failed *imagebuild.Failed
	require.ErrorAs(t, err, &failed)
	assert.Equal(t, platform.NeedsC, failed.Status)
}

// While modules are collected, the build container is created but not started, however long that takes.
func TestABuildThatCollectsModulesIsNotTakenForDead(t *testing.T) {
	engine := newEngine(t)
	collects := make(chan string, 1)
	release := make(chan struct{})
	engine.SetProgram(func(p *fakeengine.Process) int {
		if p.Container.Command[len(p.Container.Command)-1] == "modules" {
			collects <- p.Container.Name
			<-release
		}
		return needsC(p)
	})
	errs := make(chan error, 2)
	build := func(b *builder) {
		pkg := newPackage(t)
		go func() {
			_, err := b.Build(t.Context(), planWithC(), pkg, "basic_1.0")
			errs <- err
		}()
	}
	leader, follower := newBuilder(t, engine), newBuilder(t, engine)
	build(leader)
	engine.Age(strings.TrimSuffix(<-collects, "-modules"), 2*periods.Created)
	before := len(engine.Calls(fakeengine.Inspect))
	build(follower)
	require.Eventually(t, func() bool { return len(engine.Calls(fakeengine.Inspect)) > before+5 }, time.Minute, time.Millisecond)
	close(release)
	require.NoError(t, <-errs)
	require.NoError(t, <-errs)
	assert.NotContains(t, follower.output.String(), "it was never started")
	assertNothingLeft(t, engine)
}

// Whoever begins while another builder compiles with C reads from the first container that it needs C. Before, that container
// was gone: each newcomer compiled for nothing, and every fourth gave up.
func TestABuilderDoesNotAskAgainWhetherAPackageNeedsC(t *testing.T) {
	engine := newEngine(t)
	compiles, release := make(chan bool, 1), make(chan struct{})
	engine.SetProgram(func(p *fakeengine.Process) int {
		if p.Container.Command[len(p.Container.Command)-1] == "with C" {
			compiles <- true
			<-release
		}
		return needsC(p)
	})
	var all []*builder
	errs := make(chan error, builders)
	build := func() {
		b, pkg := newBuilder(t, engine), newPackage(t)
		all = append(all, b)
		go func() {
			_, err := b.Build(t.Context(), planWithC(), pkg, "basic_1.0")
			errs <- err
		}()
	}
	build()
	<-compiles
	engine.Age(lockOf(engine), 4*periods.Ended) // nobody waits so long for a build that has failed
	for range builders - 1 {
		build()
	}
	require.Eventually(t, func() bool {
		for _, b := range all[1:] {
			if !strings.Contains(b.output.String(), "needs a C compiler") {
				return false
			}
		}
		return true
	}, time.Minute, time.Millisecond)
	close(release)
	for range builders {
		require.NoError(t, <-errs)
	}
	assert.Len(t, engine.Calls(fakeengine.Start), 4, "the first phase, the standard library, the modules and the build")
	assertNothingLeft(t, engine)
}

// lockOf returns the name of the build container of the first phase.
func lockOf(engine *fakeengine.Engine) string {
	for _, call := range engine.Calls(fakeengine.Create) {
		if strings.Contains(call.Target, buildPart) {
			return call.Target
		}
	}
	return ""
}

func TestABuilderThatDiedWhileItCompiledWithCIsSucceeded(t *testing.T) {
	engine := newEngine(t)
	engine.SetProgram(needsC)
	_, err := newBuilder(t, engine).Build(t.Context(), planWithC(), newPackage(t), "basic_1.0")
	require.NoError(t, err)
	lock := lockOf(engine)
	for _, name := range engine.Images() {
		if strings.HasPrefix(name, "fabric-chaincode/golang:") {
			engine.RemoveImage(name)
		}
	}
	client, id := create(t, engine, lock, "ccenv:1")
	require.NoError(t, client.Start(t.Context(), id))
	exits, err := client.WaitEnded(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, platform.NeedsC, (<-exits).Code)
	starts := len(engine.Calls(fakeengine.Start))

	image, err := newBuilder(t, engine).Build(t.Context(), planWithC(), newPackage(t), "basic_1.0")
	require.NoError(t, err)
	assertImage(t, engine, image)
	assert.Len(t, engine.Calls(fakeengine.Start), starts+2, "the modules and the build")
	assertLeft(t, engine, lock)
}
