// SPDX-License-Identifier: Apache-2.0

package imagebuild_test

import (
	"archive/tar"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/test/fakeengine"
)

// with is an image with more in it.
func with(image fakeengine.Image, add func(*fakeengine.Files)) fakeengine.Image {
	files := fakeengine.NewFiles(map[string]string{"/etc/passwd": image.Files.Read("/etc/passwd")})
	add(files)
	image.Files = files
	return image
}

// downloads is how often something was downloaded.
func downloads(engine *fakeengine.Engine, path string) (times int) {
	for _, call := range engine.Calls(fakeengine.Download) {
		if call.Query.Get("path") == path {
			times++
		}
	}
	return times
}

func linkTo(f *fakeengine.Files, target string) {
	f.Add("/bin/sh", tar.Header{Typeflag: tar.TypeSymlink, Mode: 0o777, Linkname: target}, "")
}

// A chaincode can take its TLS files from standard input where a shell is there for it, and hides nothing.
func TestWhichImagesTakeTLSFilesByInput(t *testing.T) {
	entered := with(runtimeImage, func(f *fakeengine.Files) { f.Write("/bin/sh", "shell", 0o755) })
	entered.Entrypoint = []string{"/docker-entrypoint.sh", "quietly"}
	for name, test := range map[string]struct {
		runtime fakeengine.Image
		want    bool
	}{
		"no shell": {runtimeImage, false},
		"a shell":  {with(runtimeImage, func(f *fakeengine.Files) { f.Write("/bin/sh", "shell", 0o755) }), true},
		"a link to a shell": {with(runtimeImage, func(f *fakeengine.Files) {
			f.Write("/bin/busybox", "shell", 0o755)
			linkTo(f, "busybox")
		}), true},
		"a link to a shell that has no printf of its own": {with(runtimeImage, func(f *fakeengine.Files) {
			f.Write("/bin/mksh", "shell", 0o755)
			linkTo(f, "/bin/mksh")
		}), false},
		"a link to nothing":               {with(runtimeImage, func(f *fakeengine.Files) { linkTo(f, "/bin/busybox") }), false},
		"a shell that cannot be executed": {with(runtimeImage, func(f *fakeengine.Files) { f.Write("/bin/sh", "shell", 0o644) }), false},
		"a shell, and files where TLS's are": {with(runtimeImage, func(f *fakeengine.Files) {
			f.Write("/bin/sh", "shell", 0o755)
			f.Write("/etc/hyperledger/fabric/ca.pem", "CA", 0o644)
		}), false},
		"a shell, and an entrypoint": {entered, true},
	} {
		for flavour, options := range flavours {
			t.Run(name+" "+flavour, func(t *testing.T) {
				engine := newEngine(t, options...)
				engine.RemoveImage(test.runtime.Name)
				engine.AddImage(test.runtime)
				image, err := newBuilder(t, engine).build(t.Context(), t)
				require.NoError(t, err)
				assert.Equal(t, test.want, image.TLSByInput)
				if test.want {
					assert.Equal(t, test.runtime.Entrypoint, image.Entrypoint)
					assert.Nil(t, image.User)
					assert.Zero(t, downloads(engine, "/etc/passwd"), "an archive costs some engines 40 ms")
				} else {
					assert.Equal(t, &metadata.UIDGID{UID: 500, GID: 501}, image.User)
				}

				looks := len(engine.Calls(fakeengine.Stat))
				again, err := newBuilder(t, engine).build(t.Context(), t)
				require.NoError(t, err)
				assert.Equal(t, image, again, "another peer gets the same answer")
				assert.Len(t, engine.Calls(fakeengine.Stat), looks, "without a look into the image")
			})
		}
	}
}

// What is true of the runtime image is true of an image on a snapshot, and no label of the snapshot says otherwise.
func TestAnImageOnASnapshotTakesTLSFilesAsItsRuntimeImage(t *testing.T) {
	engine := newNodeEngine(t, officialScript, 0o755)
	base, _ := engine.Image("nodeenv:2")
	for _, shell := range []bool{false, true} {
		name := "one"
		if shell {
			name = "two"
			base.Files.Write("/bin/sh", "shell", 0o755)
			base.Layers = []string{"sha256:shell"}
			engine.RemoveImage(base.Name)
			engine.AddImage(base)
			engine.RemoveImage(snapshots(engine)[0])
		}
		image, err := newBuilder(t, engine).Build(t.Context(), nodePlan, open(t, nodeSource(t, name, "lock 1")), "basic_1.0")
		require.NoError(t, err)
		assert.Equal(t, shell, image.TLSByInput)
		snapshot, _ := engine.Image(snapshots(engine)[0])
		assert.NotContains(t, snapshot.Labels, "fabric-builder-docker.tls-by-input")
		assert.NotContains(t, snapshot.Labels, "fabric-builder-docker.user")
	}
}

// The archive is right for every image.
func TestALookThatFailsDoesNotFailTheBuild(t *testing.T) {
	engine := newEngine(t)
	engine.On(fakeengine.Stat, fakeengine.Fail(http.StatusInternalServerError, "not a directory"))
	image, err := newBuilder(t, engine).build(t.Context(), t)
	require.NoError(t, err)
	assert.False(t, image.TLSByInput)
	assertNothingLeft(t, engine)
}

func TestAPruneDuringTheLookIsMadeGood(t *testing.T) {
	engine := newNodeEngine(t, officialScript, 0o755)
	engine.On(fakeengine.Stat, fakeengine.Once(fakeengine.Before(engine.Prune)))
	image, err := newBuilder(t, engine).Build(t.Context(), nodePlan, open(t, nodeSource(t, "one", "lock 1")), "basic_1.0")
	require.NoError(t, err)
	assert.Len(t, inTarget(t, engine, image), 6)
	assertNothingLeft(t, engine)
}
