// SPDX-License-Identifier: Apache-2.0

package imagebuild_test

import (
	"archive/tar"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/imagebuild"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
	"fabric-builder-docker/test/fakeengine"
)

// Parts of the names of the two containers of a build.
const (
	buildPart    = "-build-"
	assemblyPart = "-assembly-"
)

var plan = platform.Plan{
	Type:          "golang",
	Builder:       platform.Image{Name: "ccenv:1", Setting: "chaincode.builder"},
	Runtime:       platform.Image{Name: "baseos:1", Setting: "chaincode.golang.runtime"},
	Command:       []string{"/bin/sh", "-c", "compile"},
	Environment:   []string{"GOPROXY=https://user:secret@proxy.example.com"},
	Caches:        []platform.Cache{{Name: "golang", Path: platform.CacheDir}},
	Target:        "/usr/local/bin",
	FabricVersion: "3.1",
}

// periods are such that nothing happens by the clock unless a test makes a container older.
var periods = imagebuild.Periods{
	Build:     5 * time.Minute,
	Created:   time.Minute,
	Ended:     time.Minute,
	Inspect:   time.Minute,
	Poll:      2 * time.Millisecond,
	Output:    2 * time.Millisecond,
	Reconnect: time.Minute,
	Blobs:     time.Minute,
	Learn:     10 * time.Millisecond,
	Cleanup:   time.Minute,
}

// newEngine has both base images, and containers that build well.
func newEngine(t *testing.T, options ...fakeengine.Option) *fakeengine.Engine {
	t.Helper()
	engine := fakeengine.New(t, options...)
	engine.AddImage(builderImage)
	engine.AddImage(runtimeImage)
	engine.SetProgram(compile)
	return engine
}

var (
	builderImage = fakeengine.Image{Name: "ccenv:1", Layers: []string{"sha256:a"}, User: "chaincode"}
	runtimeImage = fakeengine.Image{
		Name: "baseos:1", Layers: []string{"sha256:b"}, User: "chaincode",
		Files: fakeengine.NewFiles(map[string]string{"/etc/passwd": "root:x:0:0::/:/bin/sh\nchaincode:x:500:501::/:/bin/sh\n"}),
	}
)

// compile is a build that succeeds: what it leaves depends on what it got.
func compile(p *fakeengine.Process) int {
	p.Stdout.Write([]byte("compiling\n"))
	p.Stderr.Write([]byte("a warning\n"))
	p.Files.Add(platform.OutputDir+"/chaincode", tar.Header{Typeflag: tar.TypeReg, Mode: 0o6777, Uid: 500},
		"binary of "+p.Files.Read(platform.InputDir+"/src/main.go"))
	return 0
}

// fails is a build that ends with that status.
func fails(status int) fakeengine.Program {
	return func(p *fakeengine.Process) int {
		p.Stderr.Write([]byte("main.go:1: undefined: x\n"))
		return status
	}
}

// builder is one builder process.
type builder struct {
	imagebuild.Builder
	output locked // what the peer sees: the build's output and the builder's own messages
}

func newBuilder(t *testing.T, engine *fakeengine.Engine) *builder {
	t.Helper()
	client, err := docker.Connect(t.Context(), engine.Host())
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	b := &builder{}
	b.Builder = imagebuild.Builder{
		Engine: client, Log: cli.NewLogger("build", &b.output), Stderr: &b.output,
		Prefix: "fabric-chaincode", Version: "1.0", Periods: periods,
	}
	return b
}

func (b *builder) build(ctx context.Context, t *testing.T) (imagebuild.Image, error) {
	t.Helper()
	return b.Build(ctx, plan, newPackage(t), "basic_1.0")
}

// newSource is a package as the peer unpacks it.
func newSource(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"src/go.mod":             "module basic\n",
		"src/main.go":            "package main",
		"src/vendor/modules.txt": "",
		"META-INF/statedb/couchdb/indexes/one.json": "{}",
	} {
		writeFile(t, dir, name, text)
	}
	return dir
}

// writeFile writes a file of a package.
func writeFile(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
}

func newPackage(t *testing.T) *content.Package { return open(t, newSource(t)) }

func open(t *testing.T, dir string) *content.Package {
	t.Helper()
	pkg, err := content.Open(dir)
	require.NoError(t, err)
	t.Cleanup(func() { pkg.Close() })
	return pkg
}

// lockName is the name of the build container of newSource.
func lockName(t *testing.T) string { return containerName(t, metadata.BuildName) }

func containerName(t *testing.T, name func(prefix, digest string) string) string {
	t.Helper()
	engine := newEngine(t)
	image, err := newBuilder(t, engine).build(t.Context(), t)
	require.NoError(t, err)
	_, digest, _ := strings.Cut(image.Name, ":")
	return name("fabric-chaincode", digest)
}

// create makes a container by hand, as a builder with a time-out of 5 minutes that has died since.
func create(t *testing.T, engine *fakeengine.Engine, name, image string) (client *docker.Engine, id string) {
	t.Helper()
	client, err := docker.Connect(t.Context(), engine.Host())
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	id, leader, err := client.CreateOrInspect(t.Context(), docker.Spec{Name: name, Image: image, Command: []string{"compile"}, Labels: buildLabels(name)})
	require.NoError(t, err)
	require.Nil(t, leader)
	return client, id
}

// buildLabels returns the labels of a build container.
func buildLabels(name string) map[string]string {
	_, digest, _ := strings.Cut(name, buildPart)
	return map[string]string{
		metadata.LabelKind: metadata.KindBuild, metadata.LabelDigest: strings.TrimSuffix(digest, "-c"), metadata.LabelTimeout: "300",
	}
}

// runLock starts the lock container by hand and returns when it has ended.
func runLock(t *testing.T, engine *fakeengine.Engine, name string) {
	t.Helper()
	client, id := create(t, engine, name, "ccenv:1")
	runContainer(t, client, id)
}

// runContainer starts a container and returns when it has ended.
func runContainer(t *testing.T, client *docker.Engine, id string) {
	t.Helper()
	require.NoError(t, client.Start(t.Context(), id))
	exits, err := client.WaitEnded(t.Context(), id)
	require.NoError(t, err)
	require.NoError(t, (<-exits).Err)
}

// created counts the containers that were asked for.
func created(engine *fakeengine.Engine, part string) int {
	n := 0
	for _, call := range engine.Calls(fakeengine.Create) {
		if strings.Contains(call.Target, part) {
			n++
		}
	}
	return n
}

// imagesOf returns the names of the images of a kind; of the kind "", those that nobody has made here.
func imagesOf(engine *fakeengine.Engine, kind string) []string {
	var found []string
	for _, name := range engine.Images() {
		if made, _ := engine.Image(name); made.Labels[metadata.LabelKind] == kind {
			found = append(found, name)
		}
	}
	return found
}

// assertLeft checks that only these containers exist.
func assertLeft(t *testing.T, engine *fakeengine.Engine, names ...string) {
	t.Helper()
	var left []string
	for _, container := range engine.Containers() {
		left = append(left, container.Name)
	}
	assert.ElementsMatch(t, names, left)
}

// assertNothingLeft is what every build owes to the engine.
func assertNothingLeft(t *testing.T, engine *fakeengine.Engine) {
	t.Helper()
	for _, container := range engine.Containers() {
		t.Errorf("container %s (%s) was left", container.Name, container.Status)
	}
}

// assertBuilt checks that the image is complete.
func assertBuilt(t *testing.T, engine *fakeengine.Engine, image imagebuild.Image) {
	t.Helper()
	assertImage(t, engine, image)
	assertNothingLeft(t, engine)
}

func assertImage(t *testing.T, engine *fakeengine.Engine, image imagebuild.Image) {
	t.Helper()
	made, ok := engine.Image(image.Name)
	require.True(t, ok, "image %s is not there", image.Name)
	assert.Equal(t, "binary of package main", made.Files.Read("/usr/local/bin/chaincode"))
}

// locked is a buffer that many may write to.
type locked struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.String()
}
