package imagebuild_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/imagebuild"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/test/fakeengine"
)

// outcome is how one of several builders ended.
type outcome struct {
	*builder
	image imagebuild.Image
	err   error
}

// builders is how many of them build the same content at once.
const builders = 10

// together lets all builders build the same content at once. The build goes on until all others follow it.
func together(t *testing.T, engine *fakeengine.Engine, program fakeengine.Program) []outcome {
	t.Helper()
	engine.SetProgram(func(p *fakeengine.Process) int {
		engine.Await(t, fakeengine.Logs, builders-1)
		return program(p)
	})
	outcomes := make(chan outcome, builders)
	for range builders {
		b, source := newBuilder(t, engine), newSource(t)
		go func() {
			image, err := b.Build(t.Context(), plan, open(t, source), "basic_1.0")
			outcomes <- outcome{b, image, err}
		}()
	}
	var all []outcome
	for range builders {
		all = append(all, <-outcomes)
	}
	return all
}

func TestOneOfManyBuildersBuilds(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine := newEngine(t, flavour...)
			builds := 0
			for _, o := range together(t, engine, func(p *fakeengine.Process) int { builds++; return compile(p) }) {
				require.NoError(t, o.err)
				assertBuilt(t, engine, o.image)
				assert.Equal(t, &metadata.UIDGID{UID: 500, GID: 501}, o.image.User)
			}
			assert.Equal(t, 1, builds)
			assert.Len(t, imagesOf(engine, metadata.KindChaincode), 1)
		})
	}
}

func TestOneFailureFailsAllWhoWait(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine := newEngine(t, flavour...)
			warm(t, engine)
			before := len(engine.Calls(fakeengine.Remove))
			removals := make(chan time.Time, builders)
			engine.On(fakeengine.Remove, fakeengine.Before(func() {
				removals <- time.Now()
				engine.Await(t, fakeengine.Remove, before+builders) // on a busy machine somebody may read only after the moment that it stays
			}))
			builds, failed := 0, time.Time{}
			for _, o := range together(t, engine, func(p *fakeengine.Process) int { builds++; failed = time.Now(); return fails(7)(p) }) {
				var failed *imagebuild.Failed
				require.ErrorAs(t, o.err, &failed)
				assert.Equal(t, 7, failed.Status)
				assert.Contains(t, o.output.String(), "basic_1.0 | main.go:1: undefined: x\n")
			}
			assertNothingLeft(t, engine)
			assert.Equal(t, 1, builds)
			assert.GreaterOrEqual(t, (<-removals).Sub(failed), periods.Linger, "it stays for all to read its output and its status")
		})
	}
}

// The leader dies after its build has ended well, and before there is an image.
func TestAFollowerMakesTheImageOfABuildWhoseLeaderHasDied(t *testing.T) {
	lock := lockName(t)
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine := newEngine(t, flavour...)
			runLock(t, engine, lock)
			engine.Age(lock, 2*periods.Assembly)
			b := newBuilder(t, engine)
			image, err := b.build(t.Context(), t)
			require.NoError(t, err)
			made, ok := engine.Image(image.Name)
			require.True(t, ok)
			assert.Equal(t, "binary of ", made.Files.Read("/usr/local/bin/chaincode"), "of the container that was there")
			assert.Len(t, engine.Calls(fakeengine.Start), 1, "nothing is built again")
			assert.Contains(t, b.output.String(), "basic_1.0 | compiling\n", "what it printed is shown")
			assertNothingLeft(t, engine)
		})
	}
}

func TestAFollowerGivesTheLeaderTimeToMakeTheImage(t *testing.T) {
	engine := newEngine(t)
	runLock(t, engine, lockName(t))
	ctx, cancel := context.WithCancelCause(t.Context())
	engine.On(fakeengine.ImageInspect, fakeengine.Of("fabric-chaincode/", fakeengine.Nth(20, fakeengine.Before(func() { cancel(signalled{}) }))))
	_, err := newBuilder(t, engine).build(ctx, t)
	assert.ErrorIs(t, err, signalled{})
	assert.Zero(t, created(engine, assemblyPart))
	assert.Len(t, engine.Containers(), 1, "the leader's container is not a follower's to remove")
}

func TestManyFollowersMakeTheImageOfADeadLeaderOnce(t *testing.T) {
	lock := lockName(t)
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine := newEngine(t, flavour...)
			runLock(t, engine, lock)
			engine.Age(lock, 2*periods.Assembly)
			for _, o := range together(t, engine, compile) {
				require.NoError(t, o.err)
				_, ok := engine.Image(o.image.Name)
				assert.True(t, ok)
			}
			assertNothingLeft(t, engine)
		})
	}
}

// Between the look for the image and the lock somebody else may have made it, and let the lock go.
func TestAnImageThatComesWithTheLockIsNotMadeAgain(t *testing.T) {
	name := containerName(t, func(prefix, digest string) string { return metadata.ImageName(prefix, "golang", digest) })
	engine := newEngine(t)
	made := fakeengine.Image{Name: name, Labels: map[string]string{"fabric-builder-docker.user": "500:501"}}
	engine.On(fakeengine.Create, fakeengine.Of(buildPart, fakeengine.Before(func() { engine.AddImage(made) })))
	image, err := newBuilder(t, engine).build(t.Context(), t)
	require.NoError(t, err)
	assert.Equal(t, name, image.Name)
	assert.Empty(t, engine.Calls(fakeengine.Start, fakeengine.Load, fakeengine.Commit))
	assertNothingLeft(t, engine)
}

// Of several commits of one content, the first keeps the name, and no image is left without one.
func TestACommitLeavesTheNameToAnImageThatHasIt(t *testing.T) {
	engine := newEngine(t, fakeengine.Podman())
	name := containerName(t, func(prefix, digest string) string { return metadata.ImageName(prefix, "golang", digest) })
	made := fakeengine.Image{Name: name, Layers: []string{"sha256:first"}, Labels: map[string]string{"fabric-builder-docker.user": "500:501"}}
	engine.On(fakeengine.Commit, fakeengine.Of(assemblyPart, fakeengine.Before(func() { engine.AddImage(made) })))
	_, err := newBuilder(t, engine).build(t.Context(), t)
	require.NoError(t, err)
	kept, _ := engine.Image(name)
	assert.Equal(t, made.Layers, kept.Layers)
	for _, name := range engine.Images() {
		assert.NotRegexp(t, "-[0-9a-f]{16}$", name)
	}
	assertNothingLeft(t, engine)
}

// The name may be taken when it is asked for, and free when it is looked at.
func TestANameThatIsFreeAgainIsTakenAgain(t *testing.T) {
	for _, part := range []string{buildPart, assemblyPart} {
		for _, status := range []int{http.StatusConflict, http.StatusInternalServerError} {
			t.Run(part+http.StatusText(status), func(t *testing.T) {
				engine := newEngine(t)
				engine.On(fakeengine.Create, fakeengine.Of(part, fakeengine.Once(fakeengine.Fail(status, "that name is already in use"))))
				image, err := newBuilder(t, engine).build(t.Context(), t)
				require.NoError(t, err)
				assertBuilt(t, engine, image)
			})
		}
	}
}

func TestALockThatNobodyHoldsIsReplaced(t *testing.T) {
	lock := lockName(t)
	tests := map[string]struct {
		leave  func(t *testing.T, engine *fakeengine.Engine)
		reason string
	}{
		"never started": {func(t *testing.T, engine *fakeengine.Engine) {
			create(t, engine, lock, "ccenv:1")
			engine.Age(lock, 2*periods.Created)
		}, "it was never started"},
		"running past the time-out": {func(t *testing.T, engine *fakeengine.Engine) {
			engine.SetProgram(fakeengine.Serve(0))
			client, id := create(t, engine, lock, "ccenv:1")
			require.NoError(t, client.Start(t.Context(), id))
			engine.Age(lock, 2*periods.Build)
			engine.SetProgram(compile)
		}, "it has been running for more than 5m0s"},
		"failed some time ago": {func(t *testing.T, engine *fakeengine.Engine) {
			engine.SetProgram(fails(1))
			runLock(t, engine, lock)
			engine.Age(lock, time.Minute)
			engine.SetProgram(compile)
		}, "an earlier build failed and its leader is gone"},
	}
	for name, test := range tests {
		for _, skew := range []time.Duration{0, -5 * time.Hour, 5 * time.Hour} {
			t.Run(name+" "+skew.String(), func(t *testing.T) {
				engine := newEngine(t)
				engine.SetSkew(skew)
				test.leave(t, engine)
				b := newBuilder(t, engine)
				image, err := b.build(t.Context(), t)
				require.NoError(t, err)
				assertBuilt(t, engine, image)
				assert.Contains(t, b.output.String(), test.reason)
				assert.Equal(t, 3, created(engine, buildPart), "the one that was left, the one that found it, the one that built")
			})
		}
	}
}

// An engine may be on another machine, hours away.
func TestALockIsNotTakenForOldByTheWrongClock(t *testing.T) {
	for _, skew := range []time.Duration{-5 * time.Hour, 5 * time.Hour} {
		t.Run(skew.String(), func(t *testing.T) {
			engine := newEngine(t)
			engine.SetSkew(skew)
			for _, o := range together(t, engine, compile) {
				require.NoError(t, o.err)
				assert.NotContains(t, o.output.String(), "removing another builder's container")
			}
			assert.Len(t, imagesOf(engine, metadata.KindChaincode), 1)
			assertNothingLeft(t, engine)
		})
	}
}

// The leader was told to stop: it removes its container, and the first follower that sees it builds.
func TestAFollowerBuildsWhenTheLeaderIsToldToStop(t *testing.T) {
	engine := newEngine(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	engine.SetProgram(func(p *fakeengine.Process) int {
		if len(engine.Calls(fakeengine.Start)) > 1 {
			return compile(p)
		}
		engine.Await(t, fakeengine.Logs, 1)
		cancel(signalled{})
		return p.Serve(0)
	})
	leader, follower := newBuilder(t, engine), newBuilder(t, engine)
	source := newSource(t)
	held := make(chan error, 1)
	go func() {
		_, err := leader.Build(ctx, plan, open(t, source), "basic_1.0")
		held <- err
	}()
	engine.Await(t, fakeengine.Start, 1)
	image, err := follower.build(t.Context(), t)
	require.NoError(t, err)
	assert.ErrorIs(t, <-held, signalled{})
	assertBuilt(t, engine, image)
	assert.Contains(t, follower.output.String(), "another builder is gone and left no image")
}

func TestAFollowerGivesUpWhenLeadersComeAndGo(t *testing.T) {
	engine := newEngine(t)
	lock := lockName(t)
	come := func() { engine.RemoveContainer(lock); create(t, engine, lock, "ccenv:1") }
	engine.On(fakeengine.Info, fakeengine.Before(func() { engine.RemoveContainer(lock) }))
	engine.On(fakeengine.VolumeInspect, fakeengine.Before(come))
	_, err := newBuilder(t, engine).build(t.Context(), t)
	assert.EqualError(t, err, "giving up after 3 attempts: other builders of the same content keep disappearing")
	assertNothingLeft(t, engine)
}

// A follower that is told to stop, or whose time is over, leaves the leader alone.
func TestAFollowerThatStopsLeavesTheLeaderAlone(t *testing.T) {
	engine := newEngine(t)
	goOn := make(chan struct{})
	engine.SetProgram(func(p *fakeengine.Process) int {
		<-goOn
		return compile(p)
	})
	leader, follower := newBuilder(t, engine), newBuilder(t, engine)
	source := newSource(t)
	held := make(chan error, 1)
	go func() {
		_, err := leader.Build(t.Context(), plan, open(t, source), "basic_1.0")
		held <- err
	}()
	engine.Await(t, fakeengine.Start, 1)
	ctx, cancel := context.WithCancelCause(t.Context())
	engine.On(fakeengine.Logs, fakeengine.Before(func() { cancel(signalled{}) }))
	_, err := follower.build(ctx, t)
	assert.ErrorIs(t, err, signalled{})
	close(goOn)
	assert.NoError(t, <-held)
	assertNothingLeft(t, engine)
}
