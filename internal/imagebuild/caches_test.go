package imagebuild_test

import (
	"archive/tar"
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/imagebuild"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
	"fabric-builder-docker/test/fakeengine"
)

const (
	lockPart   = "-cachelock-"
	javaLock   = "fabric-chaincode-cachelock-java-basic"
	javaPrefix = "fabric-chaincode-cache-java-basic-"
)

// serial is a plan whose builds run one after another.
func serial() platform.Plan {
	p := plan
	p.Type, p.Serial = "java", "java-basic"
	p.Caches = []platform.Cache{{Name: "java-basic-m2", Path: "/root/.m2"}, {Name: "java-basic-gradle", Path: "/root/.gradle"}}
	return p
}

func (b *builder) buildSerial(ctx context.Context, t *testing.T, label string) (imagebuild.Image, error) {
	t.Helper()
	return b.Build(ctx, serial(), newSource(t), label)
}

func TestCachesAreVolumes(t *testing.T) {
	engine := newEngine(t)
	held := false
	engine.SetProgram(func(p *fakeengine.Process) int {
		lock, there := engine.Container(javaLock)
		held = there && lock.Status == "created" && lock.Labels[metadata.LabelKind] == metadata.KindCacheLock
		return compile(p)
	})
	image, err := newBuilder(t, engine).buildSerial(t.Context(), t, "basic_1.0")
	require.NoError(t, err)
	assertBuilt(t, engine, image)
	assert.True(t, held, "the lock is there while the build runs, and is never started")
	for _, name := range []string{javaPrefix + "m2", javaPrefix + "gradle"} {
		assert.Equal(t, metadata.KindCache, engine.Volumes()[name].Labels[metadata.LabelKind], name)
	}
	assert.Len(t, engine.Volumes(), 2)
}

func TestACacheWithoutANameIsNoVolume(t *testing.T) {
	engine := newEngine(t)
	var cache fakeengine.File
	engine.SetProgram(func(p *fakeengine.Process) int { cache, _ = p.Files.Get(platform.CacheDir); return compile(p) })
	p := plan
	p.Caches = []platform.Cache{{Path: platform.CacheDir}}
	_, err := newBuilder(t, engine).Build(t.Context(), p, newSource(t), "basic_1.0")
	require.NoError(t, err)
	assert.Empty(t, engine.Volumes())
	assert.EqualValues(t, 0o777, cache.Header.Mode, "the directory is there all the same, for whichever user builds")
}

// Each of them has its own content, so that nothing but the caches makes them wait.
func TestBuildsThatShareCachesRunOneAfterAnother(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine := newEngine(t, flavour...)
			running, most := make(chan struct{}, 10), 0
			engine.SetProgram(func(p *fakeengine.Process) int {
				running <- struct{}{}
				most = max(most, len(running))
				status := compile(p)
				<-running
				return status
			})
			ended := make(chan error, 5)
			for i := range 5 {
				b, p := newBuilder(t, engine), serial()
				p.Settings = []string{strings.Repeat("x", i)}
				source := newSource(t)
				go func() {
					_, err := b.Build(t.Context(), p, source, "basic_1.0")
					ended <- err
				}()
			}
			for range 5 {
				assert.NoError(t, <-ended)
			}
			assert.Equal(t, 1, most)
			assertNothingLeft(t, engine)
		})
	}
}

// The same content is not waited for, but followed.
func TestBuildersOfTheSameContentFollowInsteadOfWaitingForTheCaches(t *testing.T) {
	engine := newEngine(t)
	builds := 0
	engine.SetProgram(func(p *fakeengine.Process) int {
		builds++
		engine.Await(t, fakeengine.Logs, 2)
		return compile(p)
	})
	ended := make(chan outcome, 3)
	for range 3 {
		b := newBuilder(t, engine)
		go func() {
			image, err := b.buildSerial(t.Context(), t, "basic_1.0")
			ended <- outcome{b, image, err}
		}()
	}
	for range 3 {
		o := <-ended
		require.NoError(t, o.err)
		assert.Contains(t, o.output.String(), "basic_1.0 | compiling\n")
	}
	assert.Equal(t, 1, builds)
	assertNothingLeft(t, engine)
}

// leftLock makes the lock of a builder that has died in the build of that content.
func leftLock(t *testing.T, engine *fakeengine.Engine, digest string) {
	t.Helper()
	client, err := docker.Connect(t.Context(), engine.Host())
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	_, holder, err := client.Claim(t.Context(), docker.Spec{
		Name: javaLock, Image: "ccenv:1", Command: []string{"/bin/sh"},
		Labels: map[string]string{metadata.LabelKind: metadata.KindCacheLock, metadata.LabelDigest: digest},
	})
	require.NoError(t, err)
	require.Nil(t, holder)
}

func TestTheLockOfADeadBuilderIsReplaced(t *testing.T) {
	const digest = "0123"
	build := metadata.BuildName("fabric-chaincode", digest)
	tests := map[string]struct {
		prepare  func(t *testing.T, engine *fakeengine.Engine)
		replaced bool
	}{
		"no build has followed it": {func(t *testing.T, engine *fakeengine.Engine) {
			engine.Age(javaLock, 2*periods.Created)
		}, true},
		"a build may follow it": {func(*testing.T, *fakeengine.Engine) {}, false},
		"its build has ended": {func(t *testing.T, engine *fakeengine.Engine) {
			runLock(t, engine, build)
			engine.Age(javaLock, 2*periods.Created)
		}, true},
		"its build runs on": {func(t *testing.T, engine *fakeengine.Engine) {
			create(t, engine, build, "ccenv:1")
			engine.Age(javaLock, 2*periods.Created)
		}, false},
		"its build ran out of time": {func(t *testing.T, engine *fakeengine.Engine) {
			create(t, engine, build, "ccenv:1")
			engine.Age(javaLock, 2*periods.Build)
		}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			engine := newEngine(t)
			leftLock(t, engine, digest)
			test.prepare(t, engine)
			b := newBuilder(t, engine)
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			engine.On(fakeengine.Create, fakeengine.Of(lockPart, fakeengine.Nth(20, fakeengine.Before(func() { cancel(signalled{}) }))))
			_, err := b.buildSerial(ctx, t, "basic_1.0")
			if test.replaced {
				require.NoError(t, err)
				assert.Contains(t, b.output.String(), "removing the lock of a builder that is gone")
				_, there := engine.Container(javaLock)
				assert.False(t, there)
				return
			}
			require.ErrorIs(t, err, signalled{})
			assert.Equal(t, 1, strings.Count(b.output.String(), "another build uses the same caches: waiting for it"))
			_, there := engine.Container(javaLock)
			assert.True(t, there, "it is not ours to remove")
		})
	}
}

func TestTheCachesAreUnlockedAfterAnyEnd(t *testing.T) {
	for name, prepare := range map[string]func(*fakeengine.Engine, func()){
		"the build fails":       func(e *fakeengine.Engine, _ func()) { e.SetProgram(fails(7)) },
		"the upload fails":      func(e *fakeengine.Engine, _ func()) { e.On(fakeengine.Upload, fakeengine.Fail(500, "no space")) },
		"no container, no lock": func(e *fakeengine.Engine, _ func()) { e.On(fakeengine.VolumeCreate, fakeengine.Fail(500, "no space")) },
		"told to stop": func(e *fakeengine.Engine, stop func()) {
			e.SetProgram(func(p *fakeengine.Process) int { stop(); return p.Serve(0) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			engine := newEngine(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			prepare(engine, func() { cancel(signalled{}) })
			_, err := newBuilder(t, engine).buildSerial(ctx, t, "basic_1.0")
			require.Error(t, err)
			assert.Equal(t, 1, created(engine, lockPart))
			assertNothingLeft(t, engine)
		})
	}
}

// Peer contract: the CLI drops execute bits, and hand-made packages may have no src/.
func TestWhatIsUploadedOfAPackage(t *testing.T) {
	tests := map[string]struct {
		rooted      bool
		executables []string
		want        map[string]int64
	}{
		"as it is":          {false, nil, map[string]int64{"/src/main.go": 0o644, "/src/go.mod": 0o644}},
		"with execute bits": {false, []string{"src/main.go"}, map[string]int64{"/src/main.go": 0o755, "/src/go.mod": 0o644}},
		"from the root":     {true, []string{"src/src/go.mod"}, map[string]int64{"/src/src/main.go": 0o644, "/src/src/go.mod": 0o755}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			engine := newEngine(t)
			got := map[string]int64{}
			engine.SetProgram(func(p *fakeengine.Process) int {
				for name := range test.want {
					if file, ok := p.Files.Get(platform.InputDir + name); ok {
						got[name] = file.Header.Mode
					}
				}
				assert.NotContains(t, strings.Join(p.Files.Names("/chaincode"), " "), "META-INF")
				p.Files.Add(platform.OutputDir+"/chaincode", tar.Header{Typeflag: tar.TypeReg}, "x")
				return 0
			})
			p := plan
			p.Rooted, p.Executables = test.rooted, test.executables
			_, err := newBuilder(t, engine).Build(t.Context(), p, newSource(t), "basic_1.0")
			require.NoError(t, err)
			assert.Equal(t, test.want, got)
		})
	}
}
