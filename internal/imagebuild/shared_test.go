// SPDX-License-Identifier: Apache-2.0

package imagebuild_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/imagebuild"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
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
		engine.AwaitStreams(t, fakeengine.Logs, builders-1)
		engine.AwaitStreams(t, fakeengine.Wait, builders)
		return program(p)
	})
	return buildAll(t, engine)
}

// buildAll lets all builders build the same content at once.
func buildAll(t *testing.T, engine *fakeengine.Engine) []outcome {
	t.Helper()
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

// The leader removes the container at once, but each follower has its log and a wait open by then.
func TestOneFailureFailsAllWhoFollow(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine := newEngine(t, flavour...)
			warm(t, engine)
			builds := 0
			for _, o := range together(t, engine, func(p *fakeengine.Process) int { builds++; return fails(7)(p) }) {
				var failed *imagebuild.Failed
				require.ErrorAs(t, o.err, &failed)
				assert.Equal(t, 7, failed.Status)
				assert.Contains(t, o.output.String(), "basic_1.0 | main.go:1: undefined: x\n")
			}
			assertNothingLeft(t, engine)
			assert.Equal(t, 1, builds)
		})
	}
}

// Builders of a package that does not compile come and go. Each is told why, by its own build or by another's.
func TestEveryBuilderIsToldWhyTheBuildFails(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine := newEngine(t, flavour...)
			slowRemovals(engine)
			engine.SetProgram(fails(7))
			for range 2 {
				for _, o := range buildAll(t, engine) {
					var failed *imagebuild.Failed
					require.ErrorAs(t, o.err, &failed, o.output.String())
					assert.Equal(t, 7, failed.Status)
					assert.Contains(t, o.output.String(), "basic_1.0 | main.go:1: undefined: x\n")
				}
			}
			assertNothingLeft(t, engine)
		})
	}
}

// slowRemovals makes every container pass through the state in which an engine is removing it.
func slowRemovals(engine *fakeengine.Engine) {
	engine.On(fakeengine.Remove, func(c *fakeengine.Call) {
		if found, ok := engine.Container(c.Target); ok && found.Status != "removing" {
			engine.BeginRemoval(found.ID)
			<-time.After(20 * time.Millisecond)
			engine.RemoveContainer(found.ID)
		}
		c.Pass()
	})
}

// Every builder is told why the container cannot be started.
func TestEveryBuilderIsToldWhyTheStartFails(t *testing.T) {
	engine := newEngine(t)
	warm(t, engine)
	engine.On(fakeengine.Start, fakeengine.Fail(http.StatusBadRequest, "OCI runtime create failed: no such device"))
	for _, o := range buildAll(t, engine) {
		assert.ErrorContains(t, o.err, "no such device")
	}
	assertNothingLeft(t, engine)
}

// The leader dies after its build has ended well, and before there is an image.
func TestAFollowerMakesTheImageOfABuildWhoseLeaderHasDied(t *testing.T) {
	lock := lockName(t)
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine := newEngine(t, flavour...)
			runLock(t, engine, lock)
			engine.Age(lock, 2*periods.Ended)
			b := newBuilder(t, engine)
			image, err := b.build(t.Context(), t)
			require.NoError(t, err)
			made, ok := engine.Image(image.Name)
			require.True(t, ok)
			assert.Equal(t, "binary of ", made.Files.Read("/usr/local/bin/chaincode"), "of the container that was there")
			assert.Len(t, engine.Calls(fakeengine.Start), 1, "nothing is built again")
			assert.Contains(t, b.output.String(), "basic_1.0 | compiling\n", "what it printed is shown")
			assertLeft(t, engine, lock)
		})
	}
}

func TestAFollowerGivesTheLeaderTimeToMakeTheImage(t *testing.T) {
	engine := newEngine(t)
	lock := lockName(t)
	runLock(t, engine, lock)
	ctx, cancel := context.WithCancelCause(t.Context())
	engine.On(fakeengine.ImageInspect, fakeengine.Of("fabric-chaincode/", fakeengine.Nth(20, fakeengine.Before(func() { cancel(signalled{}) }))))
	_, err := newBuilder(t, engine).build(ctx, t)
	assert.ErrorIs(t, err, signalled{})
	assert.Zero(t, created(engine, assemblyPart))
	assertLeft(t, engine, lock)
}

// Of many that have lost patience with one leader, one builds beside it, and the others wait for that one.
func TestOnlyOneFollowerBuildsBesideALeader(t *testing.T) {
	lock := lockName(t)
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine := newEngine(t, flavour...)
			create(t, engine, lock, "ccenv:1")
			engine.Age(lock, 2*periods.Created)
			for _, o := range together(t, engine, compile) {
				require.NoError(t, o.err)
				assertImage(t, engine, o.image)
			}
			assert.Len(t, engine.Calls(fakeengine.Start), 1)
			assertLeft(t, engine, lock)
		})
	}
}

// A leader that is slow in making the image is not disturbed, and one other at a time does the same.
func TestOnlyOneFollowerMakesTheImageBesideALeader(t *testing.T) {
	lock := lockName(t)
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine := newEngine(t, flavour...)
			runLock(t, engine, lock)
			engine.Age(lock, 2*periods.Ended)
			outputs := 0
			engine.On(fakeengine.Download, func(c *fakeengine.Call) {
				if c.Query.Get("path") == platform.OutputDir {
					outputs++
					engine.Await(t, fakeengine.Info, builders+1) // all but this one follow, or follow again
				}
				c.Pass()
			})
			for _, o := range buildAll(t, engine) {
				require.NoError(t, o.err)
			}
			assert.Equal(t, 1, outputs)
			assertLeft(t, engine, lock)
		})
	}
}

// Podman takes a second and more for the answer if it has hundreds of images.
func TestAnEngineThatDoesNotTellTheTimeFailsNoBuild(t *testing.T) {
	engine := newEngine(t)
	engine.On(fakeengine.Info, fakeengine.Fail(http.StatusInternalServerError, "busy"))
	engine.AddContainer("left-by-somebody", "ccenv:1", nil)
	for _, o := range together(t, engine, compile) {
		require.NoError(t, o.err)
		assertImage(t, engine, o.image)
	}
	assertLeft(t, engine, "left-by-somebody")
}

// A client that has stopped reading a download makes every inspect of the container hang, but not the list of containers.
func TestAFollowerIsNotHeldUpByALeaderThatHasStopped(t *testing.T) {
	engine := newEngine(t)
	lock := lockName(t)
	runLock(t, engine, lock)
	for _, route := range []fakeengine.Route{fakeengine.Inspect, fakeengine.Logs, fakeengine.Wait, fakeengine.Download} {
		engine.On(route, func(c *fakeengine.Call) {
			if c.Target == lock {
				fakeengine.Hang()(c)
			}
			c.Pass()
		})
	}
	b := newBuilder(t, engine)
	b.Periods.Inspect, b.Periods.Ended = 10*time.Millisecond, 50*time.Millisecond
	image, err := b.build(t.Context(), t)
	require.NoError(t, err)
	assertImage(t, engine, image)
	assertLeft(t, engine, lock)
}

// The same with a leader that stops when its build has ended and can be inspected, so that its output is worth a try.
func TestAFollowerBuildsIfTheOutputOfTheOtherBuildCannotBeRead(t *testing.T) {
	lock := lockName(t)
	for name, fault := range map[string]fakeengine.Fault{
		"no answer": fakeengine.Hang(), "cut": fakeengine.Cut(100), "refused": fakeengine.Fail(http.StatusInternalServerError, "no"),
	} {
		t.Run(name, func(t *testing.T) {
			engine := newEngine(t)
			runLock(t, engine, lock)
			engine.On(fakeengine.Download, func(c *fakeengine.Call) {
				if c.Target == lock {
					fault(c)
					return
				}
				c.Pass()
			})
			b := newBuilder(t, engine)
			b.Periods.Ended = 50 * time.Millisecond
			image, err := b.build(t.Context(), t)
			require.NoError(t, err)
			assertImage(t, engine, image)
			assert.Contains(t, b.output.String(), "building again")
			assertLeft(t, engine, lock)
		})
	}
}

// A leader that was slow finds that another builder has made the image, which may be in use.
func TestALeaderThatWasSlowDoesNotTakeTheNameFromAnImage(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			image := containerName(t, func(prefix, digest string) string { return metadata.ImageName(prefix, "golang", digest) })
			engine := newEngine(t, flavour...)
			made := fakeengine.Image{Name: image, Layers: []string{"sha256:other"}, Labels: map[string]string{"fabric-builder-docker.user": "500:501"}}
			engine.On(fakeengine.Start, fakeengine.After(func() { engine.AddImage(made); <-time.After(20 * time.Millisecond) }))
			b := newBuilder(t, engine)
			b.Periods.Ended = 10 * time.Millisecond
			_, err := b.build(t.Context(), t)
			require.NoError(t, err)
			kept, _ := engine.Image(image)
			assert.Equal(t, made.Layers, kept.Layers)
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

// What another builder has left is not removed while that builder may be alive, and removed afterwards.
func TestWhatAnotherBuilderHasLeft(t *testing.T) {
	lock := lockName(t)
	never := func(t *testing.T, engine *fakeengine.Engine) { create(t, engine, lock, "ccenv:1") }
	failed := func(t *testing.T, engine *fakeengine.Engine) {
		engine.SetProgram(fails(1))
		runLock(t, engine, lock)
		engine.SetProgram(compile)
	}
	running := func(t *testing.T, engine *fakeengine.Engine) {
		engine.SetProgram(fakeengine.Serve(0))
		client, id := create(t, engine, lock, "ccenv:1")
		require.NoError(t, client.Start(t.Context(), id))
		engine.SetProgram(compile)
	}
	tests := map[string]struct {
		leave func(t *testing.T, engine *fakeengine.Engine)
		age   time.Duration
		left  bool
	}{
		"never started":               {never, 2 * periods.Created, true},
		"never started, and expired":  {never, 2 * periods.Build, false},
		"failed":                      {failed, 2 * periods.Ended, true},
		"failed, and expired":         {failed, 2 * periods.Build, false},
		"still running, and expired":  {running, 2 * periods.Build, false},
		"killed, by somebody or else": {func(t *testing.T, e *fakeengine.Engine) { running(t, e); e.Kill(lock) }, 2 * periods.Ended, true},
	}
	for name, test := range tests {
		for _, skew := range []time.Duration{0, -5 * time.Hour, 5 * time.Hour} {
			t.Run(name+" "+skew.String(), func(t *testing.T) {
				engine := newEngine(t)
				engine.SetSkew(skew)
				test.leave(t, engine)
				engine.Age(lock, test.age)
				b := newBuilder(t, engine)
				image, err := b.build(t.Context(), t)
				require.NoError(t, err)
				assertImage(t, engine, image)
				if test.left {
					assertLeft(t, engine, lock)
					assert.Contains(t, b.output.String(), "starting another attempt")
				} else {
					assertNothingLeft(t, engine)
					assert.Contains(t, b.output.String(), "removing a build container past its time-out")
				}
			})
		}
	}
}

// An engine may fail to remove a container, and call it "removing" for ever.
func TestAContainerThatCannotBeRemovedHoldsNobodyUp(t *testing.T) {
	lock := lockName(t)
	engine := newEngine(t)
	create(t, engine, lock, "ccenv:1")
	engine.BeginRemoval(lock)
	image, err := newBuilder(t, engine).build(t.Context(), t)
	require.NoError(t, err)
	assertImage(t, engine, image)
	assertLeft(t, engine, lock)
}

// Anybody can give a container the name of a build's. Its output is not the build's.
func TestAForeignContainerWithTheNameOfABuildIsNotFollowed(t *testing.T) {
	lock := lockName(t)
	engine := newEngine(t)
	engine.AddContainer(lock, "ccenv:1", nil)
	image, err := newBuilder(t, engine).build(t.Context(), t)
	require.NoError(t, err)
	assertImage(t, engine, image)
	assertLeft(t, engine, lock)
}

// With live restore, containers go on while the engine restarts.
func TestABuildGoesOnAfterTheEngineWasAway(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine := newEngine(t, flavour...)
			outcomes := together(t, engine, func(p *fakeengine.Process) int {
				p.Stdout.Write([]byte("before\n"))
				engine.On(fakeengine.Inspect, fakeengine.Nth(2, fakeengine.Drop()))
				engine.On(fakeengine.List, fakeengine.Once(fakeengine.Drop()))
				engine.On(fakeengine.Wait, fakeengine.Once(fakeengine.Drop()))
				before := len(engine.Calls(fakeengine.Wait))
				engine.Disconnect(fakeengine.Wait, fakeengine.Logs)
				engine.Await(t, fakeengine.Wait, before+builders)
				engine.AwaitStreams(t, fakeengine.Wait, builders)
				return compile(p)
			})
			for _, o := range outcomes {
				require.NoError(t, o.err, o.output.String())
				assertBuilt(t, engine, o.image)
				assert.Equal(t, 1, strings.Count(o.output.String(), "basic_1.0 | before\n"), o.output.String())
			}
			assert.Len(t, engine.Calls(fakeengine.Start), 1)
		})
	}
}

// A leader whose stderr is not read keeps nobody waiting: an attach would stop the build's own writes.
func TestALeaderIsNotAttached(t *testing.T) {
	engine := newEngine(t)
	image, err := newBuilder(t, engine).build(t.Context(), t)
	require.NoError(t, err)
	assertBuilt(t, engine, image)
	assert.Empty(t, engine.Calls(fakeengine.Attach))
}

// A leader's time-out is its own: one with a shorter time gives up for itself.
func TestAFollowerWithAShorterTimeOutLeavesTheLeaderAlone(t *testing.T) {
	engine := newEngine(t)
	goOn := make(chan struct{})
	engine.SetProgram(func(p *fakeengine.Process) int {
		<-goOn
		return compile(p)
	})
	leader, follower := newBuilder(t, engine), newBuilder(t, engine)
	source := newSource(t)
	led := make(chan error, 1)
	go func() {
		_, err := leader.Build(t.Context(), plan, open(t, source), "basic_1.0")
		led <- err
	}()
	engine.Await(t, fakeengine.Start, 1)
	engine.Age(lockOf(engine), periods.Build/2)
	follower.Periods.Build = 100 * time.Millisecond
	_, err := follower.build(t.Context(), t)
	assert.ErrorIs(t, err, imagebuild.ErrTimeout)
	close(goOn)
	assert.NoError(t, <-led)
	assertNothingLeft(t, engine)
}

// A build of any content removes what is past its time-out.
func TestABuildRemovesWhatOthersHaveLeft(t *testing.T) {
	engine := newEngine(t)
	leave := func(name string, labels map[string]string, age time.Duration) {
		client, err := docker.Connect(t.Context(), engine.Host())
		require.NoError(t, err)
		t.Cleanup(func() { client.Close() })
		_, _, err = client.CreateOrInspect(t.Context(), docker.Spec{Name: name, Image: "ccenv:1", Command: []string{"x"}, Labels: labels})
		require.NoError(t, err)
		engine.Age(name, age)
	}
	build := func(timeout string) map[string]string {
		labels := map[string]string{metadata.LabelKind: metadata.KindBuild}
		if timeout != "" {
			labels[metadata.LabelTimeout] = timeout
		}
		return labels
	}
	assembly := map[string]string{metadata.LabelKind: metadata.KindAssembly}
	leave("p-build-0000000000000001", build("60"), 2*time.Minute)
	leave("p-build-0000000000000002", build("600"), 2*time.Minute)
	leave("p-build-0000000000000003", build(""), 2*time.Hour)
	leave("p-build-0000000000000004", build(""), 30*time.Minute)
	leave("p-build-0000000000000005", build("soon"), 30*time.Minute)
	leave("p-assembly-0000000000000001", assembly, 2*time.Hour)
	leave("p-assembly-0000000000000002", assembly, 30*time.Minute)
	leave("lab-build-1", build("60"), 1000*time.Hour) // an image keeps the labels, and so does its container
	leave("chaincode", map[string]string{metadata.LabelKind: metadata.KindChaincode}, 1000*time.Hour)
	leave("foreign", nil, 1000*time.Hour)
	image, err := newBuilder(t, engine).build(t.Context(), t)
	require.NoError(t, err)
	assertImage(t, engine, image)
	assertLeft(t, engine, "p-build-0000000000000002", "p-build-0000000000000004", "p-build-0000000000000005", "p-assembly-0000000000000002", "lab-build-1", "chaincode", "foreign")
}

// An engine that is restarted does not answer for a while.
func TestARemovalIsTriedAgain(t *testing.T) {
	engine := newEngine(t)
	warm(t, engine)
	engine.On(fakeengine.Remove, fakeengine.Once(fakeengine.Drop()))
	engine.On(fakeengine.Remove, fakeengine.Nth(2, fakeengine.Fail(http.StatusServiceUnavailable, "starting")))
	image, err := newBuilder(t, engine).build(t.Context(), t)
	require.NoError(t, err)
	assertBuilt(t, engine, image)
}

// The removal of a container with very many files takes longer than a build waits for it.
func TestABuildSucceedsIfTheRemovalTakesTooLong(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine := newEngine(t, flavour...)
			engine.On(fakeengine.Remove, fakeengine.Hang())
			b := newBuilder(t, engine)
			b.Periods.Cleanup = 400 * time.Millisecond
			image, err := b.build(t.Context(), t)
			require.NoError(t, err)
			assertImage(t, engine, image)
			assert.Contains(t, b.output.String(), "cannot remove a container of this build")
		})
	}
}

// Newcomers meet a container that is going, and names that are not free yet.
func TestNobodyIsDisturbedByALeaderThatIsToldToStop(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 5 {
				engine := newEngine(t, flavour...)
				slowRemovals(engine)
				ctx, cancel := context.WithCancelCause(t.Context())
				engine.SetProgram(func(p *fakeengine.Process) int {
					if len(engine.Calls(fakeengine.Start)) > 1 {
						return compile(p)
					}
					return p.Serve(0)
				})
				leader, source := newBuilder(t, engine), newSource(t)
				led := make(chan error, 1)
				go func() {
					_, err := leader.Build(ctx, plan, open(t, source), "basic_1.0")
					led <- err
				}()
				engine.Await(t, fakeengine.Start, 1)
				go func() {
					<-time.After(10 * time.Millisecond)
					cancel(signalled{})
				}()
				for _, o := range buildAll(t, engine) {
					require.NoError(t, o.err, o.output.String())
					assertImage(t, engine, o.image)
				}
				assert.ErrorIs(t, <-led, signalled{})
				assertNothingLeft(t, engine)
			}
		})
	}
}

// Operators prune by a timer, and may hit a build more than once.
func TestABuildSurvivesSeveralPrunes(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine := newEngine(t, flavour...)
			for _, route := range []fakeengine.Route{fakeengine.Upload, fakeengine.Start, fakeengine.Download} {
				engine.On(route, fakeengine.Of(buildPart, fakeengine.Once(fakeengine.Before(engine.Prune))))
			}
			image, err := newBuilder(t, engine).build(t.Context(), t)
			require.NoError(t, err)
			assertBuilt(t, engine, image)
		})
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
				assert.NotContains(t, o.output.String(), "removing the container")
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
		engine.AwaitStreams(t, fakeengine.Wait, 2) // the follower's, too
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

// However many leaders come and go, a follower goes on until one leaves an image or its own time is over.
func TestAFollowerSurvivesLeadersThatComeAndGo(t *testing.T) {
	engine := newEngine(t)
	lock := lockName(t)
	engine.On(fakeengine.Info, fakeengine.Before(func() { engine.RemoveContainer(lock) }))
	leaders := 0
	engine.On(fakeengine.Create, fakeengine.Of(buildPart, fakeengine.Before(func() {
		if leaders++; leaders < 10 {
			engine.AddContainer(lock, "ccenv:1", buildLabels(lock))
		}
	})))
	image, err := newBuilder(t, engine).build(t.Context(), t)
	require.NoError(t, err)
	assertBuilt(t, engine, image)
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

// A proxy in front of the engine may cut each connection that is silent for a minute. A build may take many minutes.
func TestConnectionsThatAreHeldForAWhileAreNotCounted(t *testing.T) {
	engine := newEngine(t)
	engine.SetProgram(func(p *fakeengine.Process) int {
		for range 30 {
			engine.AwaitStreams(t, fakeengine.Wait, 1)
			engine.Disconnect(fakeengine.Wait)
		}
		return compile(p)
	})
	b := newBuilder(t, engine)
	b.Periods.Reconnect = time.Nanosecond
	image, err := b.build(t.Context(), t)
	require.NoError(t, err)
	assertBuilt(t, engine, image)
}
