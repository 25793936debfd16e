// SPDX-License-Identifier: Apache-2.0

package imagebuild_test

import (
	"archive/tar"
	"context"
	"fmt"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/imagebuild"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
	"fabric-builder-docker/test/fakeengine"
)

const (
	repository = "/root/.m2/repository"
	codeFile   = "src/src/main/java/KV.java"
	emptyClass = "src/src/main/java/FabricBuilderPlaceholder.java"
	buildSh    = "/root/chaincode-java/build.sh"
)

var javaPlan = platform.Plan{
	Type:          "java",
	Builder:       platform.Image{Name: "javaenv:2", Setting: "chaincode.java.runtime"},
	Runtime:       platform.Image{Name: "javaenv:2", Setting: "chaincode.java.runtime"},
	Command:       []string{"/bin/sh", "-c", "build"},
	Caches:        []platform.Cache{{Path: platform.CacheDir}},
	Target:        "/root/chaincode-java/chaincode",
	FabricVersion: "3.1",
	Snapshot: &platform.Snapshot{
		Files:        []string{"src", "src/pom.xml", "src/mvnw"},
		Placeholders: []platform.Placeholder{{Path: emptyClass, Text: "class FabricBuilderPlaceholder {}"}},
		Command:      []string{"/bin/sh", "-c", "resolve"},
	},
}

func newJavaEngine(t *testing.T, options ...fakeengine.Option) *fakeengine.Engine {
	t.Helper()
	engine := fakeengine.New(t, options...)
	files := fakeengine.NewFiles(map[string]string{buildSh: "the image's", repository + "/org/image/1/image.jar": "the image's", "/root/.m2/settings.xml": "the image's"})
	files.Add("/root", tar.Header{Typeflag: tar.TypeDir, Mode: 0o700}, "")
	engine.AddImage(fakeengine.Image{Name: "javaenv:2", Layers: []string{"sha256:j"}, Files: files})
	engine.SetProgram((&maven{}).run)
	return engine
}

// maven is a build that downloads what the container lacks.
type maven struct {
	resolved, built int                             // how often it has run without and with the code
	status          int                             // of the build without the code
	ahead           []string                        // artifacts that it downloads without the code
	later           []string                        // artifacts that only the code needs
	code            func(p *fakeengine.Process) int // what the code does besides; nil: nothing
}

func (m *maven) run(p *fakeengine.Process) int {
	wanted := append([]string{"org/shim/1/shim.jar"}, m.ahead...)
	_, isCode := p.Files.Get(platform.InputDir + "/" + codeFile)
	status := m.status
	if isCode {
		m.built++
		status = 0
		wanted = append(wanted, m.later...)
	} else {
		m.resolved++
	}
	list := ""
	for _, name := range wanted {
		name = path.Join(repository, name)
		if _, ok := p.Files.Get(name); !ok {
			for _, file := range []string{name, path.Dir(name) + "/_remote.repositories"} {
				p.Files.Add(file, tar.Header{Typeflag: tar.TypeReg, Mode: 0o640, Uid: 7, Gid: 8, ModTime: time.Now()}, "of "+name)
				list += "file " + file + "\n"
			}
		}
	}
	p.Files.Write("/root/.m2/repository/x.lock", "", 0o600)
	p.Files.Write("/tmp/copy", "a temporary copy", 0o600)
	fmt.Fprintf(p.Stdout, "downloaded %d files\n", strings.Count(list, "\n"))
	p.Files.Write(platform.DownloadsFile, fmt.Sprintf("status %d\nmaven %s\nparent 700 0 0 /root\nparent 755 0 0 /root/.m2\n%sfile %s/x.lock\n",
		status, repository, list, repository), 0o644)
	if !isCode {
		return 0
	}
	p.Files.Write(platform.OutputDir+"/chaincode.jar", "jar of "+p.Files.Read(platform.InputDir+"/"+codeFile), 0o644)
	if m.code != nil {
		return m.code(p)
	}
	return 0
}

func javaSource(t *testing.T, code string) string {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, dir, "src/pom.xml", "<project/>")
	writeFile(t, dir, "src/mvnw", "mvnw")
	writeFile(t, dir, codeFile, code)
	return dir
}

func buildJava(t *testing.T, engine *fakeengine.Engine, code string) (*builder, imagebuild.Image) {
	t.Helper()
	b := newBuilder(t, engine)
	image, err := b.Build(t.Context(), javaPlan, open(t, javaSource(t, code)), "basic_1.0")
	require.NoError(t, err, b.output.String())
	assertNothingLeft(t, engine)
	made, ok := engine.Image(image.Name)
	require.True(t, ok)
	assert.Equal(t, "jar of "+code, made.Files.Read("/root/chaincode-java/chaincode/chaincode.jar"))
	return b, image
}

func TestDependenciesAreDownloadedAheadOfTheCode(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine := newJavaEngine(t, flavour...)
			m := &maven{status: 1, later: []string{"org/later/1-SNAPSHOT/later.jar"}}
			var inputs [][]string
			engine.SetProgram(func(p *fakeengine.Process) int {
				inputs = append(inputs, p.Files.Names(platform.InputDir+"/src"))
				return m.run(p)
			})
			b, image := buildJava(t, engine, "one")
			in := platform.InputDir + "/"
			dirs := []string{in + "src/src", in + "src/src/main", in + "src/src/main/java"}
			require.Len(t, inputs, 2)
			assert.ElementsMatch(t, append([]string{in + "src/pom.xml", in + "src/mvnw", in + emptyClass}, dirs...), inputs[0], "the code has no part in it")
			assert.ElementsMatch(t, append([]string{in + "src/pom.xml", in + "src/mvnw", in + codeFile}, dirs...), inputs[1])
			assert.Contains(t, b.output.String(), "basic_1.0 | downloaded 2 files\n")
			assert.Contains(t, b.output.String(), "the build has downloaded what the snapshot lacks: files=1 snapshot_versions=true\n")

			require.Len(t, snapshots(engine), 1)
			assert.Regexp(t, "^fabric-chaincode/java-snapshot:[0-9a-f]{64}$", snapshots(engine)[0])
			snapshot, _ := engine.Image(snapshots(engine)[0])
			assert.Equal(t, map[string]string{
				metadata.LabelKind: metadata.KindSnapshot, "fabric-builder-docker.build-status": "1", "fabric-builder-docker.downloads": "1",
			}, withoutBlobs(snapshot.Labels))
			assert.ElementsMatch(t, []string{
				"/root", "/root/.m2", "/root/.m2/settings.xml", "/root/chaincode-java", buildSh, repository, repository + "/org",
				repository + "/org/image", repository + "/org/image/1", repository + "/org/image/1/image.jar",
				repository + "/org/shim", repository + "/org/shim/1", repository + "/org/shim/1/shim.jar", repository + "/org/shim/1/_remote.repositories",
			}, snapshot.Files.Names("/"), "nothing else of the container")
			jar, _ := snapshot.Files.Get(repository + "/org/shim/1/shim.jar")
			assert.Equal(t, []int64{0o640, 7, 8, 0}, []int64{jar.Header.Mode, int64(jar.Header.Uid), int64(jar.Header.Gid), jar.Header.ModTime.Unix()})
			root, _ := snapshot.Files.Get("/root")
			assert.Equal(t, int64(0o700), root.Header.Mode)

			made, _ := engine.Image(image.Name)
			assert.Equal(t, snapshots(engine)[0], made.Labels["fabric-builder-docker.snapshot"])
			assert.Equal(t, "JAVA", made.Labels[metadata.LabelChaincodeType])
			assert.Empty(t, made.Files.Read(repository+"/org/shim/1/shim.jar"), "the chaincode's image is made of the runtime image")

			_, image = buildJava(t, engine, "two")
			assert.Equal(t, 1, m.resolved, "the snapshot serves all versions")
			assert.Equal(t, 2, m.built)
			assert.Len(t, snapshots(engine), 1)
		})
	}
}

func withoutBlobs(labels map[string]string) map[string]string {
	delete(labels, "fabric-builder-docker.blobs")
	return labels
}

// A package whose code writes to every directory that a build has, and one that has all files in common with it but the code.
func TestCodeReachesNoSnapshot(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine := newJavaEngine(t, flavour...)
			m := &maven{}
			m.code = func(p *fakeengine.Process) int {
				list := p.Files.Read(platform.DownloadsFile)
				for _, name := range p.Files.Names("/") {
					if file, _ := p.Files.Get(name); file.Header.Typeflag == tar.TypeDir && !strings.HasPrefix(name, platform.OutputDir) {
						p.Files.Write(name+"/evil", "evil", 0o755)
						list += "file " + name + "/evil\n"
					} else if !strings.HasPrefix(name, platform.OutputDir) {
						p.Files.Write(name, "evil", 0o755)
					}
				}
				p.Files.Write(platform.DownloadsFile, list+"maven /\nmaven /root\ninstalled x\n", 0o644)
				return 0
			}
			engine.SetProgram(m.run)
			buildJava(t, engine, "hostile")
			var found *fakeengine.Files
			m.code = func(p *fakeengine.Process) int { found = p.Files; return 0 }
			buildJava(t, engine, "honest")
			assert.Equal(t, 1, m.resolved, "both have the same snapshot")
			for _, name := range found.Names("/") {
				assert.NotContains(t, name, "evil")
				assert.NotEqual(t, "evil", found.Read(name), name)
			}
			for _, name := range snapshots(engine) {
				snapshot, _ := engine.Image(name)
				for _, name := range snapshot.Files.Names("/") {
					assert.NotContains(t, name+snapshot.Files.Read(name), "evil")
				}
			}
		})
	}
}

// What a build without the code may write outside the stores stays in its container.
func TestASnapshotHoldsNothingButDownloads(t *testing.T) {
	engine := newJavaEngine(t)
	m := &maven{}
	engine.SetProgram(func(p *fakeengine.Process) int {
		status := m.run(p)
		if m.built > 0 {
			return status
		}
		list := p.Files.Read(platform.DownloadsFile)
		for _, name := range []string{buildSh, "/root/.m2/settings.xml", "/root/.gradle/init.d/evil.gradle", "/bin/sh", "/run/secret", repository + "/../evil"} {
			p.Files.Write(name, "evil", 0o755)
			list += "file " + name + "\n"
		}
		p.Files.Write(platform.DownloadsFile, list, 0o644)
		return status
	})
	buildJava(t, engine, "one")
	snapshot, _ := engine.Image(snapshots(engine)[0])
	for _, name := range snapshot.Files.Names("/") {
		assert.NotContains(t, name+snapshot.Files.Read(name), "evil")
	}
}

// A build without the code often fails because it lacks the code. If it fails for another reason, its snapshot does not stay.
func TestWhichSnapshotsStay(t *testing.T) {
	many := []string{"org/a/1/a.jar", "org/b/1/b.jar", "org/c/1/c.jar"}
	for name, test := range map[string]struct {
		maven maven
		want  bool
	}{
		"no failure":                            {maven{}, true},
		"no failure, but downloads of the code": {maven{later: many}, true},
		"lacks the code":                        {maven{status: 1}, true},
		"lacks the code, more than half":        {maven{status: 1, ahead: many[:2], later: many[2:]}, true},
		"reads the code at once":                {maven{status: 1, later: many}, false},
		"no network, and none for the code":     {maven{status: 1, code: func(*fakeengine.Process) int { return 1 }}, false},
		"no failure, but of the code":           {maven{code: func(*fakeengine.Process) int { return 1 }}, true},
	} {
		t.Run(name, func(t *testing.T) {
			engine := newJavaEngine(t)
			m := test.maven
			engine.SetProgram(m.run)
			for range 2 {
				b := newBuilder(t, engine)
				image, err := b.Build(t.Context(), javaPlan, open(t, javaSource(t, "one")), "basic_1.0")
				if m.code == nil {
					require.NoError(t, err)
					engine.RemoveImage(image.Name)
				} else {
					require.EqualError(t, err, "the build ended with exit status 1: downloaded 0 files; its output is above")
				}
				assert.Equal(t, !test.want, strings.Contains(b.output.String(), "the next build makes it again"), b.output.String())
				assertNothingLeft(t, engine)
			}
			if test.want {
				assert.Len(t, snapshots(engine), 1)
				assert.Equal(t, 1, m.resolved)
				return
			}
			assert.Empty(t, snapshots(engine))
			assert.Equal(t, 2, m.resolved, "tried again")
		})
	}
}

// The downloads are an advance. Where they cannot be had, the package is built as if there were none.
func TestABuildWhoseDownloadsFailGoesOn(t *testing.T) {
	list := func(text string) fakeengine.Program {
		return func(p *fakeengine.Process) int { p.Files.Write(platform.DownloadsFile, text, 0o644); return 0 }
	}
	for name, test := range map[string]struct {
		resolve fakeengine.Program
		limits  content.OutputLimits
		reason  string
	}{
		"out of memory":  {func(p *fakeengine.Process) int { return p.OutOfMemory() }, content.OutputLimits{}, "the build ran out of memory"},
		"no list":        {func(*fakeengine.Process) int { return 0 }, content.OutputLimits{}, "Could not find the file"},
		"no valid list":  {list("status x\n"), content.OutputLimits{}, "invalid status"},
		"a store gone":   {list("maven /gone\nparent 755 0 0 /root\nfile /gone/a/a.jar\nfile /gone/a/_remote.repositories\n"), content.OutputLimits{}, "Could not find the file"},
		"no stat":        {list("maven " + repository + "\nfile " + repository + "/a/_remote.repositories\n"), content.OutputLimits{}, "has no stat command"},
		"too many files": {nil, content.OutputLimits{Files: 1}, "see builder.build.outputFiles"},
	} {
		t.Run(name, func(t *testing.T) {
			engine := newJavaEngine(t)
			m := &maven{}
			engine.SetProgram(func(p *fakeengine.Process) int {
				if _, isCode := p.Files.Get(platform.InputDir + "/" + codeFile); !isCode && test.resolve != nil {
					return test.resolve(p)
				}
				return m.run(p)
			})
			b := newBuilder(t, engine)
			b.Limits.Output = test.limits
			image, err := b.Build(t.Context(), javaPlan, open(t, javaSource(t, "one")), "basic_1.0")
			require.NoError(t, err, b.output.String())
			assert.Contains(t, b.output.String(), "installing the dependencies together with the code: reason=")
			assert.Contains(t, b.output.String(), test.reason)
			assert.Empty(t, snapshots(engine))
			made, _ := engine.Image(image.Name)
			assert.NotContains(t, made.Labels, "fabric-builder-docker.snapshot")
			assertNothingLeft(t, engine)
		})
	}
}

// Two versions at once, five builders of each.
func TestManyBuildersShareOneSnapshotOfDownloads(t *testing.T) {
	for name, flavour := range flavours {
		t.Run(name, func(t *testing.T) {
			engine := newJavaEngine(t, flavour...)
			m := &maven{}
			resolved := false
			engine.SetProgram(func(p *fakeengine.Process) int {
				if !resolved {
					resolved = true
					engine.Await(t, fakeengine.Logs, 9)
					return m.run(p)
				}
				return (&maven{}).run(p)
			})
			outcomes := make(chan outcome, 10)
			for i := range 10 {
				b, source := newBuilder(t, engine), javaSource(t, string(rune('a'+i/5)))
				go func() {
					image, err := b.Build(t.Context(), javaPlan, open(t, source), "basic_1.0")
					outcomes <- outcome{b, image, err}
				}()
			}
			images := map[string]bool{}
			for range 10 {
				o := <-outcomes
				require.NoError(t, o.err)
				images[o.image.Name] = true
			}
			assert.Equal(t, 1, m.resolved)
			assert.Len(t, images, 2)
			assert.Len(t, snapshots(engine), 1)
			assertNothingLeft(t, engine)
		})
	}
}

// snapshotLock returns the name of the container that makes the snapshot.
func snapshotLock(t *testing.T) string {
	t.Helper()
	engine := newJavaEngine(t)
	buildJava(t, engine, "one")
	_, digest, _ := strings.Cut(snapshots(engine)[0], ":")
	return metadata.BuildName("fabric-chaincode", digest)
}

// A builder that is killed while it makes the snapshot leaves a container that has ended, or that was never started.
func TestASnapshotWhoseMakerHasDied(t *testing.T) {
	lock := snapshotLock(t)
	for name, flavour := range flavours {
		t.Run(name+", ended", func(t *testing.T) {
			engine := newJavaEngine(t, flavour...)
			m := &maven{}
			engine.SetProgram(m.run)
			client, id := create(t, engine, lock, "javaenv:2")
			runContainer(t, client, id)
			engine.Age(lock, 2*periods.Ended)
			b := newBuilder(t, engine)
			_, err := b.Build(t.Context(), javaPlan, open(t, javaSource(t, "one")), "basic_1.0")
			require.NoError(t, err)
			assert.Equal(t, 1, m.resolved, "its downloads are taken over")
			require.Len(t, snapshots(engine), 1)
			snapshot, _ := engine.Image(snapshots(engine)[0])
			assert.NotEmpty(t, snapshot.Files.Read(repository+"/org/shim/1/shim.jar"))
			assertLeft(t, engine, lock)
		})
		t.Run(name+", not started", func(t *testing.T) {
			engine := newJavaEngine(t, flavour...)
			create(t, engine, lock, "javaenv:2")
			engine.Age(lock, 2*periods.Created)
			b := newBuilder(t, engine)
			_, err := b.Build(t.Context(), javaPlan, open(t, javaSource(t, "one")), "basic_1.0")
			require.NoError(t, err)
			assert.Len(t, snapshots(engine), 1)
			assertLeft(t, engine, lock)
		})
	}
}

// An operator prunes images between two calls.
func TestASnapshotOfDownloadsThatIsPrunedIsMadeAgain(t *testing.T) {
	engine := newJavaEngine(t)
	buildJava(t, engine, "one")
	engine.On(fakeengine.Create, fakeengine.Once(fakeengine.Before(func() { engine.RemoveImage(snapshots(engine)[0]) })))
	buildJava(t, engine, "two")
	assert.Len(t, snapshots(engine), 1)
}

// Whatever a builder does when it is told to stop, it leaves no container.
func TestASignalWhileTheDependenciesAreDownloadedLeavesNoContainer(t *testing.T) {
	for _, route := range []fakeengine.Route{
		fakeengine.ImageInspect, fakeengine.Create, fakeengine.Logs, fakeengine.Upload, fakeengine.Start, fakeengine.Download, fakeengine.Load,
	} {
		for _, first := range []bool{true, false} {
			engine := newJavaEngine(t)
			if !first {
				buildJava(t, engine, "one")
			}
			ctx, stop := context.WithCancelCause(t.Context())
			engine.On(route, fakeengine.Before(func() { stop(signalled{}) }))
			_, err := newBuilder(t, engine).Build(ctx, javaPlan, open(t, javaSource(t, "two")), "basic_1.0")
			if route != fakeengine.Load || err != nil { // the engine's answer may be faster than the signal
				require.ErrorIs(t, err, signalled{}, "%v", route)
			}
			assertNothingLeft(t, engine)
			assert.LessOrEqual(t, len(snapshots(engine)), 1)
		}
	}
}

func TestWarmDownloadsDependenciesAhead(t *testing.T) {
	engine := newJavaEngine(t)
	m := &maven{status: 1}
	engine.SetProgram(m.run)
	require.NoError(t, newBuilder(t, engine).Warm(t.Context(), javaPlan, open(t, javaSource(t, "one")), "basic_1.0"))
	assert.Len(t, snapshots(engine), 1)
	assert.Empty(t, imagesOf(engine, metadata.KindChaincode))
	assertNothingLeft(t, engine)
	buildJava(t, engine, "two")
	assert.Equal(t, 1, m.resolved)
}

// An image with other settings for Maven, as an operator makes one: https://maven.apache.org/settings.html.
func TestABuildHasTheSettingsOfItsImage(t *testing.T) {
	engine := newJavaEngine(t)
	m := &maven{}
	engine.SetProgram(func(p *fakeengine.Process) int {
		p.Files.Write("/root/.m2/settings.xml", p.Files.Read("/root/.m2/settings.xml")+", changed by a build", 0o644)
		return m.run(p)
	})
	buildJava(t, engine, "one")
	engine.RemoveImage("javaenv:2")
	files := fakeengine.NewFiles(map[string]string{"/root/.m2/settings.xml": "new"})
	engine.AddImage(fakeengine.Image{Name: "javaenv:2", Layers: []string{"sha256:k"}, Files: files})
	var seen []string
	engine.SetProgram(func(p *fakeengine.Process) int {
		seen = append(seen, p.Files.Read("/root/.m2/settings.xml"))
		return m.run(p)
	})
	buildJava(t, engine, "one")
	assert.Equal(t, []string{"new", "new"}, seen, "without the code and with it")
	assert.Len(t, snapshots(engine), 2)
}

// The settings that count for a snapshot, and the files.
func TestWhichBuildsShareASnapshotOfDownloads(t *testing.T) {
	engine := newJavaEngine(t)
	buildJava(t, engine, "one")
	versions := 1
	made := func(change func(plan *platform.Plan, dir string)) int {
		before := len(snapshots(engine))
		versions++
		plan, dir := javaPlan, javaSource(t, fmt.Sprint(versions))
		snapshot := *javaPlan.Snapshot
		plan.Snapshot = &snapshot
		change(&plan, dir)
		_, err := newBuilder(t, engine).Build(t.Context(), plan, open(t, dir), "basic_1.0")
		require.NoError(t, err)
		return len(snapshots(engine)) - before
	}
	assert.Zero(t, made(func(plan *platform.Plan, _ string) { plan.FabricVersion = "3.2" }))
	assert.Zero(t, made(func(_ *platform.Plan, dir string) { writeFile(t, dir, "src/src/main/java/Other.java", "x") }))
	assert.Equal(t, 1, made(func(plan *platform.Plan, _ string) { plan.Snapshot.Environment = []string{"TOKEN=x"} }))
	assert.Equal(t, 1, made(func(_ *platform.Plan, dir string) { writeFile(t, dir, "src/mvnw", "hostile") }))
	assert.Equal(t, 1, made(func(plan *platform.Plan, _ string) { plan.Snapshot.Command = []string{"other"} }))
}
