// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/test/peer"
	"fabric-builder-docker/test/registry"
)

var sharedBaseos shared[v1.Image]

// baseos returns the runtime image of Go packages.
func baseos(t *testing.T) v1.Image {
	t.Helper()
	return sharedBaseos.get(t, func() v1.Image { return registry.FromEngine(t, world.engine, world.baseos) })
}

// copier is a builder image for node packages that only copies them, because these tests need small images to pull.
func copier(t *testing.T, marker string) v1.Image {
	t.Helper()
	return registry.On(t, baseos(t), registry.Content{
		Files: map[string]registry.File{
			"/chaincode/build.sh": {Body: []byte("#!/bin/sh\ncp -R /chaincode/input/src/. /chaincode/output\n"), Executable: true},
			"/marker":             {Body: []byte(marker)},
		},
		User: "0",
	})
}

// nodePackage returns a package that copier can build.
func nodePackage() []peer.Entry {
	return []peer.Entry{peer.File("src/package.json", `{"name":"x","version":"1.0.0"}`)}
}

// forget removes an image's name from the engine, now and when the test ends.
func forget(t *testing.T, image string) {
	t.Helper()
	remove := func() { _ = world.engine.Delete(t.Context(), "/images/"+image+"?force=1") }
	remove()
	t.Cleanup(func() {
		if err := world.engine.Delete(background(t), "/images/"+image+"?force=1"); err != nil {
			t.Errorf("removing image %s: %v", image, err)
		}
	})
}

// onEngine reports whether the engine has an image.
func onEngine(t *testing.T, image string) bool {
	t.Helper()
	return world.engine.Get(t.Context(), "/images/"+image+"/json", &struct{}{}) == nil
}

// dockerConfig writes a config.json with one user.
func dockerConfig(t *testing.T, host, user, password string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.json")
	auth := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	require.NoError(t, os.WriteFile(path, []byte(fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, host, auth)), 0o600))
	return path
}

// pulling returns config.yaml with a runtime image for node, and more lines of the builder section.
func pulling(image, extra string) string {
	return strings.ReplaceAll(config(extra), world.nodeenv, image)
}

// buildOnce runs build for a new package and returns its stderr.
func buildOnce(t *testing.T, config string) (status int, said string, u unpacked) {
	t.Helper()
	u = unpack(t, "node", "pulled_1.0", nodePackage()...)
	p := start(t, builder(t, config), "build", u.source, u.metadata, u.output)
	return p.status(t), p.stderr.String(), u
}

// builtImage returns the image in the record, which is removed when the test ends.
func builtImage(t *testing.T, u unpacked) string {
	t.Helper()
	record, err := metadata.ReadRecord(u.output)
	require.NoError(t, err)
	t.Cleanup(func() { _ = world.engine.Delete(background(t), "/images/"+record.Image+"?force=1") })
	return record.Image
}

func TestABaseImageIsPulledWithCredentials(t *testing.T) {
	t.Parallel()
	const user, password = "ada", "s3cret-of-ada"
	tests := map[string]struct {
		door registry.Option
		file func(t *testing.T, host string) string
	}{
		"nobody asks": {func(*registry.Registry) {}, func(*testing.T, string) string { return "" }},
		"a password": {registry.WithCredentials(user, password), func(t *testing.T, host string) string {
			return "    config: " + dockerConfig(t, host, user, password) + "\n"
		}},
		"an identity token": {registry.WithIdentityToken("t0ken"), func(t *testing.T, host string) string {
			path := filepath.Join(t.TempDir(), "config.json")
			require.NoError(t, os.WriteFile(path, []byte(fmt.Sprintf(`{"auths":{%q:{"identitytoken":"t0ken"}}}`, host)), 0o600))
			return "    config: " + path + "\n"
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := registry.Start(t, test.door)
			r.Push(t, "base/node:1", copier(t, t.Name()))
			image := r.Ref("base/node:1")
			forget(t, image)
			status, said, u := buildOnce(t, pulling(image, "  registry:\n    timeout: 2m\n"+test.file(t, r.Host)))
			require.Equal(t, 0, status, said)
			builtImage(t, u)
			assert.Contains(t, said, "pulling an image")
			for _, secret := range []string{password, "t0ken", base64.StdEncoding.EncodeToString([]byte(user + ":" + password))} {
				assert.NotContains(t, said, secret)
			}
		})
	}
}

// A helper is a program in the PATH that the peer propagates.
func TestABaseImageIsPulledWithACredentialHelper(t *testing.T) {
	r := registry.Start(t, registry.WithCredentials("ada", "s3cret-of-ada"))
	r.Push(t, "base/node:1", copier(t, t.Name()))
	image := r.Ref("base/node:1")
	forget(t, image)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"credsStore":"e2e"}`), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "docker-credential-e2e"),
		[]byte("#!/bin/sh\necho noise >&2\necho '{\"Username\":\"ada\",\"Secret\":\"s3cret-of-ada\"}'\n"), 0o755))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	status, said, u := buildOnce(t, pulling(image, "  registry: {config: "+dir+"}\n"))
	require.Equal(t, 0, status, said)
	builtImage(t, u)
	assert.NotContains(t, said, "s3cret")
	assert.NotContains(t, said, "noise")
}

// The error is one line with the registry, the user and the setting, and without the password.
func TestARegistryThatRefuses(t *testing.T) {
	t.Parallel()
	const password = "s3cret-of-ada"
	tests := map[string]struct {
		fault     registry.Fault
		anonymous bool
		want      []string
	}{
		"wrong password": {nil, false, []string{`as user "ada" from `}},
		"nobody":         {nil, true, []string{"without credentials"}},
		"401":            {registry.Status(http.StatusUnauthorized), false, []string{`as user "ada" from `}},
		"403":            {registry.Status(http.StatusForbidden), false, []string{`as user "ada" from `}},
		"429":            {registry.Status(http.StatusTooManyRequests), false, nil},
		"500":            {registry.Status(http.StatusInternalServerError), false, nil},
		"hangs":          {registry.Hang(), false, []string{"the pull made no progress for too long: 2s", "builder.registry.inactivityTimeout"}},
		"hangs later":    {registry.HangBlobs(), false, []string{"the pull made no progress for too long: 2s", "builder.registry.inactivityTimeout"}},
		"cuts":           {registry.CutBlobs(100), false, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			door, file := registry.WithCredentials("ada", "another"), ""
			if name == "hangs later" || name == "cuts" {
				door = registry.WithCredentials("ada", password)
			}
			r := registry.Start(t, door)
			r.Push(t, "base/node:1", registry.Image(t, registry.Content{Files: map[string]registry.File{"/marker": {Body: []byte(t.Name())}}}))
			r.Break(test.fault)
			image := r.Ref("base/node:1")
			forget(t, image)
			if !test.anonymous {
				file = ", config: " + dockerConfig(t, r.Host, "ada", password)
			}
			status, said, _ := buildOnce(t, pulling(image, "  registry: {timeout: 10s, inactivityTimeout: 2s"+file+"}\n"))
			assert.Equal(t, 1, status)
			lines := strings.Split(strings.TrimSpace(said), "\n")
			last := lines[len(lines)-1]
			for _, want := range append(test.want, "cannot pull builder image", image, "asking registry "+r.Host, "builder.registry.config", "chaincode.node.runtime") {
				assert.Contains(t, last, want)
			}
			assert.NotContains(t, said, password)
			assert.False(t, onEngine(t, image))
		})
	}
}

func TestPullPolicyOnARealEngine(t *testing.T) {
	t.Parallel()
	r := registry.Start(t)
	r.Push(t, "base/node:1", copier(t, "old"))
	image := r.Ref("base/node:1")
	forget(t, image)
	untagged := image // the older image, after it has lost its name; it is removed after the images based on it
	t.Cleanup(func() { assert.NoError(t, world.engine.Delete(background(t), "/images/"+untagged+"?force=1")) })
	status, said, _ := buildOnce(t, pulling(image, "  pullPolicy: never\n"))
	assert.Equal(t, 1, status)
	assert.Contains(t, said, `builder.pullPolicy is "never"`)
	assert.Empty(t, r.Requests(), "nobody asked")

	u := unpack(t, "node", "pulled_1.0", nodePackage()...)
	build := func(extra string) (int, string) {
		p := start(t, builder(t, pulling(image, extra)), "build", u.source, u.metadata, u.output)
		return p.status(t), p.stderr.String()
	}
	status, said = build("  pullPolicy: missing\n")
	require.Equal(t, 0, status, said)
	old := builtImage(t, u)

	r.Push(t, "base/node:1", copier(t, "new"))
	status, said = build("  pullPolicy: missing\n")
	require.Equal(t, 0, status, said)
	assert.Equal(t, old, builtImage(t, u), "an image that exists is used")
	untagged = imageID(t, image)
	status, said = build("  pullPolicy: always\n")
	require.Equal(t, 0, status, said)
	assert.NotEqual(t, old, builtImage(t, u), "the new base image makes another chaincode image")

	r.Break(registry.Status(http.StatusInternalServerError))
	status, said = build("  pullPolicy: always\n")
	assert.Equal(t, 1, status)
	assert.Contains(t, said, `set builder.pullPolicy to "missing"`)
}

// imageID returns the engine's ID of an image.
func imageID(t *testing.T, image string) string {
	t.Helper()
	var found struct {
		ID string `json:"Id"`
	}
	require.NoError(t, world.engine.Get(t.Context(), "/images/"+image+"/json", &found))
	return found.ID
}

// An image pulled through a mirror has the requested name, and gives the same chaincode image.
func TestMirrorOnARealEngine(t *testing.T) {
	t.Parallel()
	r := registry.Start(t)
	r.Push(t, "mirror/"+prefix+"/mirrored:1", copier(t, t.Name()))
	image := prefix + "/mirrored:1"
	forget(t, image)
	u := unpack(t, "node", "pulled_1.0", nodePackage()...)
	build := func() string {
		p := start(t, builder(t, pulling(image, "  registry: {mirror: \""+r.Ref("mirror")+"\"}\n")), "build", u.source, u.metadata, u.output)
		require.Equal(t, 0, p.status(t), p.stderr)
		return builtImage(t, u)
	}
	made := build()
	assert.True(t, onEngine(t, image))
	assert.False(t, onEngine(t, r.Ref("mirror/"+image)), "the mirror's own name is not left")
	require.NoError(t, world.engine.Delete(t.Context(), "/images/"+url.PathEscape(made)+"?force=1"))
	asked := len(r.Requests())
	assert.Equal(t, made, build())
	assert.Len(t, r.Requests(), asked, "it is there under the name that was asked for")
}
