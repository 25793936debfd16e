// SPDX-License-Identifier: Apache-2.0

package check

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/imagebuild"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
	"fabric-builder-docker/test/fakeengine"
)

const remoteImage = "registry.example.com/ccenv:2"

func TestABaseImageIsMissingAndTheRegistryIsAway(t *testing.T) {
	engine := fakeengine.New(t)
	engine.On(fakeengine.Distribution, fakeengine.Fail(http.StatusInternalServerError, `Get "https://registry.example.com/v2/": dial tcp: no such host`))
	i := newInstallation(t, engine)
	i.set("chaincode", "builder", remoteImage)
	i.finds("images", remoteImage+" cannot be pulled: asking registry registry.example.com without credentials", "no such host",
		"load the image on the engine (docker load), set chaincode.builder")
}

func TestABaseImageMayNotBePulled(t *testing.T) {
	i := newInstallation(t, fakeengine.New(t))
	i.set("chaincode", "builder", remoteImage)
	i.set("builder", "pullPolicy", "never")
	i.finds("images", remoteImage+` is not on the engine, and builder.pullPolicy is "never"`, "load the image on the engine")
}

func TestABaseImageCanBePulled(t *testing.T) {
	engine := fakeengine.New(t)
	engine.Publish(fakeengine.Image{Name: remoteImage})
	i := newInstallation(t, engine)
	i.set("chaincode", "builder", remoteImage)
	lines, healthy := i.check()
	assert.True(t, healthy, lines)
	assert.Contains(t, lines, "ok    images: "+remoteImage+" is in registry registry.example.com without credentials")
	assert.Contains(t, lines, "note  caches: not checked: they belong to the builder image")
	assert.Empty(t, engine.Calls(fakeengine.Pull)[1:], "only the one that is tried for a proxy")
}

func TestTheRegistryRefusesTheCredentials(t *testing.T) {
	engine := fakeengine.New(t)
	engine.On(fakeengine.Distribution, fakeengine.Of("registry.example.com", fakeengine.Fail(http.StatusUnauthorized, "unauthorized: incorrect username or password s3cret")))
	i := newInstallation(t, engine)
	file := filepath.Join(t.TempDir(), "config.json")
	text := fmt.Sprintf(`{"auths": {"registry.example.com": {"auth": %q}}}`, base64.StdEncoding.EncodeToString([]byte("ada:s3cret")))
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	i.set("chaincode", "builder", remoteImage)
	i.set("builder", "registry", map[string]any{"config": file})
	lines := i.finds("images", `asking registry registry.example.com as user "ada" from `+file, "unauthorized", "correct the credentials (builder.registry.config)")
	assert.NotContains(t, lines, "s3cret")
}

func TestAnImageIsForAnotherArchitecture(t *testing.T) {
	for _, local := range []bool{true, false} {
		engine := fakeengine.New(t)
		i := newInstallation(t, engine)
		i.set("chaincode", "builder", remoteImage)
		image := fakeengine.Image{Name: remoteImage, Architecture: "arm64", Command: []string{"sh"}}
		if local {
			engine.AddImage(image)
		} else {
			engine.Publish(image)
		}
		i.finds("images", remoteImage, "is for linux/arm64, and the engine's machine is linux/amd64", "or set chaincode.builder")
	}
}

func TestPodmanCannotAskARegistry(t *testing.T) {
	for _, mirror := range []string{"", "mirror.example.com"} {
		i := newInstallation(t, fakeengine.New(t, fakeengine.Podman()))
		i.set("chaincode", "builder", remoteImage)
		i.set("builder", "registry", map[string]any{"mirror": mirror})
		lines, healthy := i.check()
		assert.True(t, healthy, lines)
		assert.Contains(t, lines, "try podman pull "+remoteImage)
	}
}

func TestPodmanSaysWhyARegistryIsAway(t *testing.T) {
	engine := fakeengine.New(t, fakeengine.Podman())
	engine.On(fakeengine.Distribution, fakeengine.Fail(http.StatusInternalServerError, "dial tcp: no such host"))
	i := newInstallation(t, engine)
	i.set("chaincode", "builder", remoteImage)
	i.finds("images", remoteImage+" cannot be pulled", "no such host")
}

// Such an image is on the engine, so a line must not say that it is not.
func TestABaseImageThatEachBuildPulls(t *testing.T) {
	engine := fakeengine.New(t, fakeengine.Podman())
	engine.AddImage(fakeengine.Image{Name: remoteImage, Command: []string{"sh"}})
	i := newInstallation(t, engine)
	i.set("chaincode", "builder", remoteImage)
	i.set("builder", "pullPolicy", "always")
	i.set("builder", "types", []string{"golang"})
	lines, _ := i.check()
	assert.Contains(t, lines, "note  images: each build pulls "+remoteImage+` (builder.pullPolicy is "always"), and podman before 6 cannot ask`)
	assert.NotContains(t, lines, remoteImage+" is not on the engine")
}

// cacheOf returns the name of a cache volume of the builder image.
func cacheOf(t *testing.T, i *installation, engine *fakeengine.Engine) string {
	t.Helper()
	_, _ = i.check()
	settings, err := config.Load(i.home, i.environ)
	require.NoError(t, err)
	client, err := docker.Connect(t.Context(), engine.Host())
	require.NoError(t, err)
	defer client.Close()
	builder, err := client.Image(t.Context(), builderImage)
	require.NoError(t, err)
	plan, err := platform.NewGoLibraryPlan(settings, nil)
	require.NoError(t, err)
	return imagebuild.CacheVolumes(settings.Builder.Prefix, plan, builder)[plan.Caches[0].Path]
}

func TestACacheBelongsToAnotherUser(t *testing.T) {
	for uid, wrong := range map[int]bool{500: false, 1234: true} {
		engine := fakeengine.New(t)
		i := newInstallation(t, engine)
		files := fakeengine.NewFiles(nil)
		files.Add("/chaincode/cache/build", directory(0, 0o777), "")
		files.Add("/chaincode/cache/build/00", directory(uid, 0o755), "")
		engine.AddImage(fakeengine.Image{Name: builderImage, Layers: []string{"sha256:a"}, User: "500:500", Command: []string{"sh"}, Files: files})
		name := cacheOf(t, i, engine)
		engine.AddVolume(fakeengine.Volume{Name: name, Labels: map[string]string{metadata.LabelKind: metadata.KindCache}})
		if wrong {
			i.finds("caches", name+" holds files that the builder image's user (uid 500) cannot write", "belongs to uid 1234", "docker volume rm "+name)
		} else {
			lines, healthy := i.check()
			assert.True(t, healthy, lines)
			assert.Contains(t, lines, "ok    caches: "+name)
		}
		assert.Empty(t, engine.Containers())
	}
}

// A cache that cannot be read to the end was not looked at.
func TestTheEngineBreaksOffWhileACacheIsRead(t *testing.T) {
	engine := fakeengine.New(t)
	i := newInstallation(t, engine)
	files := fakeengine.NewFiles(nil)
	files.Add("/chaincode/cache/build", directory(0, 0o777), "")
	files.Add("/chaincode/cache/build/00", directory(500, 0o755), "")
	engine.AddImage(fakeengine.Image{Name: builderImage, Layers: []string{"sha256:a"}, User: "500:500", Command: []string{"sh"}, Files: files})
	name := cacheOf(t, i, engine)
	engine.AddVolume(fakeengine.Volume{Name: name, Labels: map[string]string{metadata.LabelKind: metadata.KindCache}})
	engine.On(fakeengine.Download, fakeengine.Cut(700))
	i.finds("caches", "looking into "+name+": ", "if it is damaged, remove it")
}
