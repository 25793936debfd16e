// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
	"fabric-builder-docker/test/fakeengine"
	"fabric-builder-docker/test/peer"
	"fabric-builder-docker/test/registry"
)

// everything is a Dockerfile that sets all of an image's configuration, for a builder image of node packages that only copies
// them.
const everything = `FROM %s
ADD --chmod=755 build.sh /chaincode/build.sh
USER 1000:1000
ENV A=b C="d e"
EXPOSE 7052 9999/udp
VOLUME /data
WORKDIR /work
STOPSIGNAL SIGINT
HEALTHCHECK --interval=5s --retries=2 CMD true
SHELL ["/bin/sh", "-ec"]
LABEL of=base
ONBUILD RUN false
ENTRYPOINT ["/usr/bin/env"]
CMD ["one", "two"]
`

const copyScript = "#!/bin/sh\ncp -R /chaincode/input/src/. /chaincode/output\n"

// buildImage builds an image from a Dockerfile, whose context also holds build.sh, and removes it when the test ends.
func buildImage(t *testing.T, image, dockerfile string) {
	t.Helper()
	var files bytes.Buffer
	w := tar.NewWriter(&files)
	for name, text := range map[string]string{"Dockerfile": dockerfile, "build.sh": copyScript} {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(text))}))
		_, err := io.WriteString(w, text)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	client, err := docker.Connect(t.Context(), world.host)
	require.NoError(t, err)
	defer client.Close()
	var output bytes.Buffer
	require.NoError(t, client.Build(timeout(t), docker.Build{Name: image, Context: &files}, &output), "%s", &output)
	t.Cleanup(func() { _ = world.engine.Delete(background(t), "/images/"+image+"?force=1") })
}

// The programs of a release leave out HTTP/2 but for build, which reads blobs with it.
func TestBuildReadsTheBlobsOfItsBaseImage(t *testing.T) {
	t.Parallel()
	engine := fakeengine.New(t, fakeengine.ContainerdStore(), fakeengine.BlobService())
	for _, name := range []string{"ccenv:1", "baseos:1"} {
		engine.AddImage(fakeengine.Image{Name: name, Layers: []string{"sha256:" + name}})
	}
	engine.SetProgram(func(p *fakeengine.Process) int {
		p.Files.Add(platform.OutputDir+"/chaincode", tar.Header{Typeflag: tar.TypeReg, Mode: 0o755}, "a program")
		return 0
	})
	u := unpack(t, "golang", "basic_1.0", peer.File("src/go.mod", "module basic\n"), peer.File("src/main.go", "package main"))
	settings := fmt.Sprintf("vm: {endpoint: %q}\nchaincode: {builder: ccenv:1, golang: {runtime: baseos:1}}\n", engine.Host())
	p := start(t, builder(t, settings), "build", u.source, u.metadata, u.output)
	require.Equal(t, 0, p.status(t), p.stderr)
	assert.NotEmpty(t, engine.Calls(fakeengine.Blob))
	assert.Empty(t, engine.Calls(fakeengine.Export))
	assert.Empty(t, engine.Calls(fakeengine.Commit))
}

// Which engines let build read the descriptions of an image, as docs/images.md says.
func TestWhichEnginesServeBlobs(t *testing.T) {
	t.Parallel()
	var info struct {
		ServerVersion string
		DriverStatus  [][2]string
	}
	require.NoError(t, world.engine.Get(timeout(t), "/info", &info))
	var major, minor int
	_, err := fmt.Sscanf(info.ServerVersion, "%d.%d", &major, &minor)
	require.NoError(t, err)
	inStore := slices.Contains(info.DriverStatus, [2]string{"driver-type", "io.containerd.snapshotter.v1"})
	client, err := docker.Connect(t.Context(), world.host)
	require.NoError(t, err)
	defer client.Close()
	image, err := client.Image(t.Context(), world.baseos)
	require.NoError(t, err)
	_, err = client.Blob(t.Context(), image.ID, 0)
	assert.Equal(t, inStore && (major > 29 || major == 29 && minor >= 2), err == nil, "%v", err)
}

// withoutLoad is an engine that refuses to load images, and is the tests' engine otherwise.
func withoutLoad(t *testing.T) (host string) {
	t.Helper()
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "engine"})
	proxy.Transport = toEngine(t)
	proxy.FlushInterval = -1
	path := filepath.Join(fakeengine.ShortTempDir(t), "engine.sock")
	listener, err := net.Listen("unix", path)
	require.NoError(t, err)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/images/load") || strings.HasSuffix(r.URL.Path, "/images/get") {
			http.Error(w, `{"message":"not here"}`, http.StatusForbidden)
			return
		}
		proxy.ServeHTTP(w, r)
	})}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return "unix://" + path
}

// toEngine returns a transport whose connections all go to the engine.
func toEngine(t *testing.T) *http.Transport {
	t.Helper()
	socket := socketPath(t)
	return &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
}

// inspected is what an engine says of an image.
type inspected struct {
	ID           string `json:"Id"`
	Created      time.Time
	Config       map[string]any
	RootFS       struct{ Layers []string }
	Os           string
	Variant      string
	Architecture string
}

func inspect(t *testing.T, image string) inspected {
	t.Helper()
	var found inspected
	require.NoError(t, world.engine.Get(timeout(t), "/images/"+image+"/json", &found))
	return found
}

// buildCopied builds a package whose files are copied into an image of base, and returns the image.
func buildCopied(t *testing.T, config, salt string) string {
	t.Helper()
	u := unpack(t, "node", "copied_1.0", append(nodePackage(), peer.File("src/salt.txt", salt))...)
	p := start(t, builder(t, config), "build", u.source, u.metadata, u.output)
	require.Equal(t, 0, p.status(t), p.stderr)
	image := builtImage(t, u)
	record, err := metadata.ReadRecord(u.output)
	require.NoError(t, err)
	assert.Equal(t, inspect(t, image).ID, record.ImageID)
	return image
}

// loaded builds until the engine is known to load images: some have to export the base image first. On podman images are
// always committed, and have to be as good.
func loaded(t *testing.T, config, salt string) string {
	t.Helper()
	for range 5 {
		image := buildCopied(t, config, salt)
		if isPodman(t) || inspect(t, image).Created.Unix() == 0 {
			return image
		}
		require.NoError(t, world.engine.Delete(timeout(t), "/images/"+image+"?force=1"))
	}
	require.Fail(t, "the engine loads no image")
	return ""
}

// What an image has besides its layer is that of its runtime image, whichever way the engine gets it.
func TestALoadedImageIsAsACommittedOne(t *testing.T) {
	t.Parallel()
	base := prefix + "/everything:" + strings.ToLower(rand.Text())
	buildImage(t, base, fmt.Sprintf(everything, world.baseos))
	salt := rand.Text()
	here := strings.ReplaceAll(config(""), world.nodeenv, base)
	image := loaded(t, here, salt)
	elsewhere := strings.ReplaceAll(strings.ReplaceAll(here, world.host, withoutLoad(t)), prefix+"\n", prefix+"/committed\n")
	other := buildCopied(t, elsewhere, salt)

	one, two := inspect(t, image), inspect(t, other)
	assert.NotZero(t, two.Created.Unix())
	for _, field := range []string{
		"User", "ExposedPorts", "Env", "Entrypoint", "Cmd", "Volumes", "WorkingDir", "Labels", "StopSignal", "OnBuild",
	} {
		assert.Equal(t, two.Config[field], one.Config[field], field)
	}
	if !isPodman(t) { // a commit loses these two
		for _, field := range []string{"Shell", "Healthcheck"} {
			assert.Equal(t, inspect(t, base).Config[field], one.Config[field], field)
		}
	}
	assert.Equal(t, []string{two.Os, two.Architecture, two.Variant}, []string{one.Os, one.Architecture, one.Variant})
	assert.Len(t, two.RootFS.Layers, len(one.RootFS.Layers))
	assert.Nil(t, one.Config["OnBuild"], "these instructions are for a Dockerfile that begins with the runtime image")
}

// An image of one new layer is as good as any other one: it outlives its base, can be saved and loaded, pushed and pulled, and
// a Dockerfile can begin with it.
func TestWhatALoadedImageIsGoodFor(t *testing.T) {
	t.Parallel()
	base := prefix + "/copier:" + strings.ToLower(rand.Text())
	buildImage(t, base, fmt.Sprintf("FROM %s\nADD --chmod=755 build.sh /chaincode/build.sh\nUSER 0\nWORKDIR /\n", world.baseos))
	salt := rand.Text()
	image := loaded(t, strings.ReplaceAll(config(""), world.nodeenv, base), salt)
	id := inspect(t, image).ID
	require.NoError(t, world.engine.Delete(timeout(t), "/images/"+base+"?force=1"))

	holdsSalt := func(t *testing.T, image string) {
		t.Helper()
		container := createContainer(t, "", map[string]any{"Image": image, "Entrypoint": []string{"/bin/sh", "-c"}, "Cmd": []string{"stat -c %a:%u /usr /usr/local; cat /usr/local/src/salt.txt"}})
		require.NoError(t, world.engine.Post(timeout(t), "/containers/"+container+"/start", nil, nil))
		var exit struct{ StatusCode int }
		require.NoError(t, world.engine.Post(timeout(t), "/containers/"+container+"/wait", nil, &exit))
		assert.Equal(t, "755:0\n755:0\n"+salt, printedBy(t, container))
	}
	t.Run("run", func(t *testing.T) { holdsSalt(t, image) })
	t.Run("begin a Dockerfile with it", func(t *testing.T) {
		derived := prefix + "/derived:" + strings.ToLower(rand.Text())
		buildImage(t, derived, "FROM "+image+"\nRUN grep -q "+salt+" /usr/local/src/salt.txt\n")
		holdsSalt(t, derived)
	})
	t.Run("save and load", func(t *testing.T) {
		archive, err := world.engine.Read(timeout(t), "/images/"+image+"/get")
		require.NoError(t, err)
		require.NoError(t, world.engine.Delete(timeout(t), "/images/"+image+"?force=1"))
		require.NoError(t, world.engine.Stream(timeout(t), "/images/load", bytes.NewReader(archive), nil))
		assert.Equal(t, id, inspect(t, image).ID)
		holdsSalt(t, image)
	})
	t.Run("push and pull", func(t *testing.T) {
		r := registry.Start(t)
		pushed := r.Ref("pushed/image")
		require.NoError(t, world.engine.Post(timeout(t), "/images/"+image+"/tag?repo="+pushed+"&tag=1", nil, nil))
		forgetLater(t, pushed+":1")
		push(t, pushed)
		ref, err := name.ParseReference(pushed+":1", name.Insecure)
		require.NoError(t, err)
		_, err = remote.Get(ref)
		require.NoError(t, err)
		require.NoError(t, world.engine.Delete(timeout(t), "/images/"+pushed+":1?force=1"))
		require.NoError(t, world.engine.Delete(timeout(t), "/images/"+image+"?force=1"))
		require.NoError(t, world.engine.Stream(timeout(t), "/images/create?fromImage="+pushed+"&tag=1", nil, nil))
		holdsSalt(t, pushed+":1")
	})
}

// Whatever the runtime image consists of, an image is loaded on it.
func TestRuntimeImagesOfAnySort(t *testing.T) {
	t.Parallel()
	copying := "FROM " + world.baseos + "\nADD --chmod=755 build.sh /chaincode/build.sh\nUSER 0\n"
	tests := map[string]func(t *testing.T, image string){
		"100 layers": func(t *testing.T, image string) {
			buildImage(t, image, copying+strings.Repeat("ADD build.sh /copies/\nRUN rm -r /copies\n", 48))
			assert.Greater(t, len(inspect(t, image).RootFS.Layers), 96)
		},
		"another platform": func(t *testing.T, image string) { // only by name: this machine can run it
			buildImage(t, image+"-here", copying)
			importImage(t, image+"-here", image, "linux/arm64")
		},
	}
	for name, makeImage := range tests {
		t.Run(name, func(t *testing.T) {
			base := prefix + "/sort:" + strings.ToLower(rand.Text())
			makeImage(t, base)
			image := loaded(t, strings.ReplaceAll(config(""), world.nodeenv, base), rand.Text())
			assert.Equal(t, inspect(t, base).Architecture, inspect(t, image).Architecture)
			assert.Len(t, inspect(t, image).RootFS.Layers, len(inspect(t, base).RootFS.Layers)+1)
		})
	}
	t.Run("no layers", func(t *testing.T) {
		base := prefix + "/sort:" + strings.ToLower(rand.Text())
		buildImage(t, base, "FROM scratch\nLABEL empty=true\n")
		require.Empty(t, inspect(t, base).RootFS.Layers)
		p := newPeer(t, withBuilder(builder(t, strings.ReplaceAll(config(""), world.baseos, base))))
		id := p.install(t, sample(t, "go", "golang", "kv_1.0"))
		assert.Len(t, inspect(t, p.record(t, id).Image).RootFS.Layers, 1)
		p.invoke(t, id, "put", "a", "1")
		assert.Equal(t, "1", p.invoke(t, id, "get", "a"))
	})
}

// importImage makes an image of one layer from the files of another, for a platform.
func importImage(t *testing.T, from, image, platform string) {
	t.Helper()
	container := createContainer(t, "", map[string]any{"Image": from, "Cmd": []string{"true"}})
	files, err := world.engine.Read(timeout(t), "/containers/"+container+"/export")
	require.NoError(t, err)
	// podman ignores a tag of its own.
	query := url.Values{"fromSrc": {"-"}, "repo": {image}, "platform": {platform}, "changes": {"USER 0"}}
	require.NoError(t, world.engine.Stream(timeout(t), "/images/create?"+query.Encode(), bytes.NewReader(files), nil))
	forgetLater(t, image)
}

func forgetLater(t *testing.T, image string) {
	t.Helper()
	t.Cleanup(func() { _ = world.engine.Delete(background(t), "/images/"+image+"?force=1") })
}

// push lets the engine push an image, without credentials. An engine insists on the header.
func push(t *testing.T, repository string) {
	t.Helper()
	client := &http.Client{Transport: toEngine(t)}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(timeout(t), http.MethodPost, "http://engine/v1.41/images/"+repository+"/push?tag=1", nil)
	require.NoError(t, err)
	request.Header.Set("X-Registry-Auth", "e30=") // {}
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	for messages := json.NewDecoder(response.Body); messages.More(); {
		var message struct{ Error string }
		require.NoError(t, messages.Decode(&message))
		require.Empty(t, message.Error)
	}
}

// A disk that is full costs the build, not the peer: the error names the directory.
func TestADiskThatIsFullIsNamed(t *testing.T) {
	t.Parallel()
	u := unpack(t, "golang", "full_1.0", append(entries(t, filepath.Join(world.samples, "dies")), peer.File("src/salt.txt", rand.Text()))...)
	mountTmpfs(t, u.output, "64k")
	p := start(t, builder(t, config("")), "build", u.source, u.metadata, u.output)
	if isPodman(t) { // it commits, and no layer is stored
		assert.Equal(t, 0, p.status(t), p.stderr)
		removeBuilt(t, builtImage(t, u))
		return
	}
	assert.Equal(t, 1, p.status(t), p.stderr)
	assert.Contains(t, p.stderr.String(), "storing the image's layer in "+u.output)
	assert.Contains(t, p.stderr.String(), "no space left on device")
	left, err := os.ReadDir(u.output)
	require.NoError(t, err)
	assert.Empty(t, left)
}

// mountTmpfs mounts a file system in memory on dir until the test ends.
func mountTmpfs(t *testing.T, dir, size string) {
	t.Helper()
	require.NoError(t, syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size), "this test needs root, as the engine does")
	t.Cleanup(func() { assert.NoError(t, syscall.Unmount(dir, 0)) })
}
