// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"archive/tar"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
	"fabric-builder-docker/test/fakeengine"
)

// withSource returns a process of run whose image is gone and whose source was saved, on an engine that can rebuild it.
func withSource(t *testing.T, r *runner) cli.Process {
	t.Helper()
	r.engine.RemoveImage(imageName)
	for _, name := range []string{"hyperledger/fabric-ccenv:3.1", "hyperledger/fabric-baseos:3.1"} {
		r.engine.AddImage(fakeengine.Image{Name: name, Layers: []string{"sha256:" + name}, User: "7:8"})
	}
	source := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(source, "src"), 0o700))
	for name, content := range map[string]string{"src/go.mod": "module basic\n", "src/main.go": "package main\n"} {
		require.NoError(t, os.WriteFile(filepath.Join(source, name), []byte(content), 0o644))
	}
	process := r.process(t)
	pkg, err := content.Open(source)
	require.NoError(t, err)
	defer pkg.Close()
	require.NoError(t, pkg.Save(process.Args[0]))
	require.NoError(t, metadata.WriteRecord(process.Args[0], r.record))
	return process
}

// compileOrServe is the program of both containers of a rebuild: the build container compiles, the chaincode serves.
func compileOrServe(p *fakeengine.Process) int {
	if content := p.Files.Read(platform.InputDir + "/src/main.go"); content != "" {
		p.Stdout.Write([]byte("compiling\n"))
		p.Files.Add(platform.OutputDir+"/chaincode", tar.Header{Typeflag: tar.TypeReg, Mode: 0o755}, "binary of "+content)
		return 0
	}
	p.Stdout.Write([]byte("serving\n"))
	return 0
}

// With the built-in controller, the peer answers "No such image" until it is restarted.
func TestAnImageThatIsGoneIsBuiltAgain(t *testing.T) {
	r := newRunner(t).withTLS()
	process := withSource(t, r)
	r.engine.SetProgram(compileOrServe)
	before, err := os.ReadFile(filepath.Join(process.Args[0], metadata.RecordFile))
	require.NoError(t, err)

	require.NoError(t, Run(t.Context(), process))
	assert.Contains(t, r.output.String(), "building it again")
	assert.Contains(t, r.output.String(), "the code is built: chaincode_id=basic_1.0:abc")
	assert.Contains(t, r.output.String(), "basic_1.0:abc | serving\n")
	after, err := os.ReadFile(filepath.Join(process.Args[0], metadata.RecordFile))
	require.NoError(t, err)
	assert.Equal(t, string(before), string(after), "the record belongs to the peer and must not change")

	// The next run uses the rebuilt image, although the record names another one, and needs no base image for that.
	removeBaseImages(r)
	r.engine.SetProgram(func(p *fakeengine.Process) int { p.Stdout.Write([]byte("serving again\n")); return 0 })
	require.NoError(t, Run(t.Context(), process))
	assert.Contains(t, r.output.String(), "basic_1.0:abc | serving again\n")
	assert.Equal(t, 1, strings.Count(r.output.String(), "building it again"))
	assert.Empty(t, r.engine.Containers())
}

func removeBaseImages(r *runner) {
	for _, name := range []string{"hyperledger/fabric-ccenv:3.1", "hyperledger/fabric-baseos:3.1"} {
		r.engine.RemoveImage(name)
	}
}

// An image that has been rebuilt may be removed as well.
func TestARebuiltImageThatIsGoneIsBuiltAgain(t *testing.T) {
	r := newRunner(t)
	process := withSource(t, r)
	r.engine.SetProgram(compileOrServe)
	for range 2 {
		require.NoError(t, Run(t.Context(), process))
		record := metadata.WithRebuilt(process.Args[0], r.record)
		assert.NotEqual(t, imageName, record.Image)
		r.engine.RemoveImage(record.Image)
	}
	assert.Equal(t, 2, strings.Count(r.output.String(), "building it again"))
}

// The peer gives up after chaincode.startuptimeout, and tries again later. If that ended the build, an image whose build takes
// longer would never come back.
func TestARebuildMayTakeLongerThanTheStart(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	process := withSource(t, r)
	process.Environ = append(process.Environ, "CORE_CHAINCODE_STARTUPTIMEOUT=5s")
	r.engine.SetProgram(func(p *fakeengine.Process) int { <-time.After(5 * time.Second); return compileOrServe(p) })
	err := Run(t.Context(), process)
	require.ErrorContains(t, err, "the image is built again, but its chaincode was not started within 5s (see chaincode.startuptimeout)")
	assert.NotContains(t, r.output.String(), "serving")
	assert.Empty(t, r.engine.Containers())

	removeBaseImages(r)
	process.Environ = process.Environ[:len(process.Environ)-1]
	r.engine.SetProgram(compileOrServe)
	require.NoError(t, Run(t.Context(), process))
	assert.Contains(t, r.output.String(), "basic_1.0:abc | serving\n")
}

func TestARebuildThatFailsAfterTheTimeToStartReportsWhy(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	process := withSource(t, r)
	process.Environ = append(process.Environ, "CORE_CHAINCODE_STARTUPTIMEOUT=5s")
	r.engine.SetProgram(func(*fakeengine.Process) int { <-time.After(5 * time.Second); return 1 })
	assert.ErrorContains(t, Run(t.Context(), process), "building it again failed: the build ended with exit status 1")
	assert.Empty(t, r.engine.Containers())
}

func TestASignalStopsARebuild(t *testing.T) {
	r := newRunner(t)
	process := withSource(t, r)
	ctx, cancel := context.WithCancelCause(t.Context())
	r.engine.SetProgram(func(p *fakeengine.Process) int { cancel(sigterm); <-p.Killed; return 137 })
	assert.Equal(t, exitStopped, Run(ctx, process))
	assert.Empty(t, r.engine.Containers())
}

func TestARebuiltImageThatCannotBeNotedIsUsed(t *testing.T) {
	r := newRunner(t)
	process := withSource(t, r)
	require.NoError(t, os.Mkdir(filepath.Join(process.Args[0], metadata.RebuiltFile), 0o755))
	r.engine.SetProgram(compileOrServe)
	require.NoError(t, Run(t.Context(), process))
	assert.Contains(t, r.output.String(), "[WARN]  run: cannot note the new image")
	assert.Contains(t, r.output.String(), "basic_1.0:abc | serving\n")
}

// The peer tells run the package's id, which build may not have known.
func TestARebuildUsesTheImagesForThePackageID(t *testing.T) {
	r := newRunner(t)
	process := withSource(t, r)
	r.engine.AddImage(fakeengine.Image{Name: "example.com/ccenv:own", Layers: []string{"sha256:own"}, User: "7:8"})
	const yaml = `builder: {overrides: [{packageId: "basic_1.0:abc", images: {builder: "example.com/ccenv:own"}}, {packageId: "basic_1.0:d*", images: {builder: none}}]}`
	require.NoError(t, os.WriteFile(filepath.Join(process.Home, config.File), []byte(yaml), 0o644))
	r.engine.SetProgram(compileOrServe)
	require.NoError(t, Run(t.Context(), process))
	assert.Contains(t, r.output.String(), "builder_image=example.com/ccenv:own")
}

// A newer peer, or one that does not tell its version, must not change what an installed chaincode is built with.
func TestARebuildIsForTheReleaseOfTheBuild(t *testing.T) {
	r := newRunner(t)
	r.record.FabricVersion, r.record.DockerNamespace = "2.5.9", "example"
	process := withSource(t, r)
	for _, name := range []string{"example/fabric-ccenv:2.5", "example/fabric-baseos:2.5"} {
		r.engine.AddImage(fakeengine.Image{Name: name, Layers: []string{"sha256:" + name}, User: "7:8"})
	}
	r.engine.SetProgram(compileOrServe)
	require.NoError(t, Run(t.Context(), process))
	assert.Contains(t, r.output.String(), `fabric_version=2.5.9 from="the build record"`)
	assert.Contains(t, r.output.String(), "builder_image=example/fabric-ccenv:2.5")
}

func TestAFailedRebuildReportsWhy(t *testing.T) {
	r := newRunner(t)
	process := withSource(t, r)
	r.engine.SetProgram(func(p *fakeengine.Process) int { p.Stderr.Write([]byte("undefined: x\n")); return 1 })
	err := Run(t.Context(), process)
	assert.ErrorContains(t, err, "building it again failed: the build ended with exit status 1")
	assert.Contains(t, r.output.String(), "basic_1.0 | undefined: x\n")
	assert.Empty(t, r.engine.Containers())
}

// Between two calls, "docker system prune -a" can remove the container and its image, or the container of a rebuilt
// image.
func TestRunRecoversFromAPruneOfContainerAndImage(t *testing.T) {
	t.Run("both at once", func(t *testing.T) {
		r := newRunner(t)
		process := withSource(t, r)
		r.engine.AddImage(fakeengine.Image{Name: imageName})
		r.engine.SetProgram(compileOrServe)
		r.engine.On(fakeengine.Start, fakeengine.Once(fakeengine.Before(func() {
			r.engine.Prune()
			r.engine.RemoveImage(imageName)
		})))
		require.NoError(t, Run(t.Context(), process))
		assert.Contains(t, r.output.String(), "basic_1.0:abc | serving\n")
		assert.Empty(t, r.engine.Containers())
	})
	t.Run("the container of the rebuilt image", func(t *testing.T) {
		r := newRunner(t).withTLS()
		process := withSource(t, r)
		r.engine.SetProgram(compileOrServe)
		// The first upload is the package, the second the TLS files.
		r.engine.On(fakeengine.Upload, fakeengine.Nth(2, fakeengine.Before(r.engine.Prune)))
		require.NoError(t, Run(t.Context(), process))
		assert.Contains(t, r.output.String(), "creating it again")
		assert.Contains(t, r.output.String(), "basic_1.0:abc | serving\n")
		assert.Empty(t, r.engine.Containers())
	})
}
