// SPDX-License-Identifier: Apache-2.0

package imagebuild_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
	"fabric-builder-docker/test/fakeengine"
)

func TestWarmFillsTheCacheAndMakesNoImage(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine := newEngine(t, flavour...)
			engine.RemoveImage("ccenv:1")
			engine.Publish(builderImage)
			var input []string
			engine.SetProgram(func(p *fakeengine.Process) int {
				input = p.Files.Names(platform.InputDir)
				return compile(p)
			})
			b := newBuilder(t, engine)
			require.NoError(t, b.Warm(t.Context(), plan, newPackage(t), "basic_1.0"))
			assert.Contains(t, input, "/chaincode/input/src/main.go")
			assert.Len(t, engine.Volumes(), 1)
			assert.Contains(t, b.output.String(), "basic_1.0 | compiling\n")
			assert.Equal(t, []string{"baseos:1", "ccenv:1"}, imagesOf(engine, ""), "base images are pulled, others are not made")
			assertNothingLeft(t, engine)

			engine.SetProgram(fails(2))
			assert.EqualError(t, b.Warm(t.Context(), plan, newPackage(t), "basic_1.0"), "the build ended with exit status 2: main.go:1: undefined: x; its output is above")
			assertNothingLeft(t, engine)
		})
	}
}

// An install of the same package must not take the warming up for a build that ends in an image.
func TestABuildDoesNotFollowAWarmingUp(t *testing.T) {
	engine := newEngine(t)
	var image string
	engine.SetProgram(func(p *fakeengine.Process) int {
		engine.SetProgram(compile)
		made, err := newBuilder(t, engine).build(t.Context(), t)
		assert.NoError(t, err)
		image = made.Name
		return compile(p)
	})
	require.NoError(t, newBuilder(t, engine).Warm(t.Context(), plan, newPackage(t), "basic_1.0"))
	_, ok := engine.Image(image)
	assert.True(t, ok)
	assertNothingLeft(t, engine)
}

// Whatever a builder does when it is told to stop, it leaves no container.
func TestASignalWhileWarmingLeavesNoContainer(t *testing.T) {
	for _, route := range []fakeengine.Route{fakeengine.Create, fakeengine.Wait, fakeengine.Upload, fakeengine.Start} {
		engine := newEngine(t)
		engine.SetProgram(fakeengine.Serve(0))
		ctx, stop := context.WithCancelCause(t.Context())
		engine.On(route, fakeengine.Before(func() { stop(signalled{}) }))
		err := newBuilder(t, engine).Warm(ctx, plan, newPackage(t), "basic_1.0")
		require.ErrorIs(t, err, signalled{}, "%v", route)
		assertNothingLeft(t, engine)
	}
}

func TestWarmInstallsDependenciesAhead(t *testing.T) {
	engine := newNodeEngine(t, officialScript, 0o755)
	require.NoError(t, newBuilder(t, engine).Warm(t.Context(), nodePlan, open(t, nodeSource(t, "one", "lock 1")), "basic_1.0"))
	assert.Len(t, snapshots(engine), 1)
	assert.Empty(t, imagesOf(engine, metadata.KindChaincode))
	assertNothingLeft(t, engine)
	started := len(engine.Calls(fakeengine.Start))
	buildNode(t, engine, nodePlan, "two", "lock 1")
	assert.Len(t, engine.Calls(fakeengine.Start), started, "nothing is left to install")
}

func TestWarmHasNothingToDoForSomePackages(t *testing.T) {
	whole := nodePlan
	whole.Snapshot, whole.NoSnapshotReason = nil, "there is no lock file"
	for name, test := range map[string]struct {
		script string
		plan   platform.Plan
		says   string
	}{
		"no snapshot":             {officialScript, whole, "there is no lock file"},
		"a script nobody knows":   {"#!/bin/sh\n", nodePlan, "builder.node.knownScripts"},
		"a Dockerfile":            {officialScript, platform.Plan{Type: "docker", Kind: platform.Dockerfile}, "nothing can be done ahead of the install"},
		"something that is there": {officialScript, platform.Plan{Type: "ccaas", Kind: platform.Service}, "nothing can be done ahead of the install"},
	} {
		t.Run(name, func(t *testing.T) {
			engine := newNodeEngine(t, test.script, 0o755)
			b := newBuilder(t, engine)
			require.NoError(t, b.Warm(t.Context(), test.plan, open(t, nodeSource(t, "one", "lock 1")), "basic_1.0"))
			assert.Contains(t, b.output.String(), test.says)
			assert.Equal(t, []string{"nodeenv:2"}, imagesOf(engine, ""))
			assertNothingLeft(t, engine)
		})
	}
}

// An operator may prune at any moment.
func TestWarmSurvivesAPrune(t *testing.T) {
	engine := newEngine(t)
	engine.On(fakeengine.Start, fakeengine.Once(fakeengine.Before(engine.Prune)))
	b := newBuilder(t, engine)
	require.NoError(t, b.Warm(t.Context(), plan, newPackage(t), "basic_1.0"))
	assert.Contains(t, b.output.String(), "starting over")
	assertNothingLeft(t, engine)
}
