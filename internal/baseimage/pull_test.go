// SPDX-License-Identifier: Apache-2.0

package baseimage_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/baseimage"
	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/platform"
	"fabric-builder-docker/internal/registry"
	"fabric-builder-docker/test/fakeengine"
)

const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// ensure ensures a chaincode's image. It returns the name that the image has on the engine, and what was logged.
func ensure(t *testing.T, engine *fakeengine.Engine, pulls baseimage.Pulls, image platform.Image) (name, logged string, err error) {
	t.Helper()
	client, err := docker.Connect(t.Context(), engine.Host())
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	var log bytes.Buffer
	images := baseimage.Images{Engine: client, Log: cli.NewLogger("build", &log), Pulls: pulls}
	_, err = images.Ensure(t.Context(), "chaincode", &image)
	return image.Name, log.String(), err
}

func TestPullPolicy(t *testing.T) {
	pinned := "org/cc@" + digest
	tests := map[string]struct {
		policy           string
		image            string
		there, published bool
		calls            int
		want             string // of the error; empty: none
	}{
		"missing, there":             {"", "org/cc:1", true, true, 0, ""},
		"missing, not there":         {"", "org/cc:1", false, true, 1, ""},
		"missing, nowhere":           {"", "org/cc:1", false, false, 1, `image "org/cc:1": asking registry docker.io `},
		"missing, by digest":         {"", pinned, false, true, 1, ""},
		"never, there":               {config.PullNever, "org/cc:1", true, true, 0, ""},
		"never, not there":           {config.PullNever, "org/cc:1", false, true, 0, `"org/cc:1" is not on the engine and builder.pullPolicy is "never": load it on the engine, or set chaincode.x or builder.pullPolicy`},
		"always, there":              {config.PullAlways, "org/cc:1", true, true, 1, ""},
		"always, there, not pulled":  {config.PullAlways, "org/cc:1", true, false, 1, `(to use the image on the engine, set builder.pullPolicy to "missing")`},
		"always, there, by digest":   {config.PullAlways, pinned, true, false, 0, ""},
		"always, not there, by name": {config.PullAlways, "org/cc:1", false, true, 1, ""},
		"no name":                    {"", "Org/CC", false, false, 0, "invalid reference format"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			engine := fakeengine.New(t)
			if test.there {
				engine.AddImage(fakeengine.Image{Name: test.image})
			}
			if test.published {
				engine.Publish(fakeengine.Image{Name: test.image})
			}
			_, _, err := ensure(t, engine, baseimage.Pulls{Policy: test.policy}, platform.Image{Name: test.image, Setting: "chaincode.x"})
			if test.want == "" {
				assert.NoError(t, err)
			} else {
				assert.ErrorContains(t, err, test.want)
			}
			assert.Len(t, engine.ImageCalls(), test.calls)
		})
	}
}

func TestMirror(t *testing.T) {
	const mirror = "mirror.example.com:5000/hub"
	tests := map[string]struct {
		image     string
		published []string
		there     []string
		calls     []string
		name      string // empty: an error
	}{
		"of a name without a registry": {"org/cc:1", []string{mirror + "/org/cc:1"}, nil,
			[]string{"pull " + mirror + "/org/cc:1", "tag " + mirror + "/org/cc:1 org/cc:1", "untag " + mirror + "/org/cc:1"}, "org/cc:1"},
		"the Hub is not asked": {"org/cc:1", []string{"org/cc:1"}, nil, []string{"pull " + mirror + "/org/cc:1"}, ""},
		"of another registry": {"registry.example.com/cc:1", []string{mirror + "/registry.example.com/cc:1"}, nil,
			[]string{"pull " + mirror + "/registry.example.com/cc:1", "tag " + mirror + "/registry.example.com/cc:1 registry.example.com/cc:1", "untag " + mirror + "/registry.example.com/cc:1"}, "registry.example.com/cc:1"},
		"another registry, if the mirror lacks the image": {"registry.example.com/cc:1", []string{"registry.example.com/cc:1"}, nil,
			[]string{"pull " + mirror + "/registry.example.com/cc:1", "pull registry.example.com/cc:1"}, "registry.example.com/cc:1"},
		"neither the mirror nor the registry": {"registry.example.com/cc:1", nil, nil,
			[]string{"pull " + mirror + "/registry.example.com/cc:1", "pull registry.example.com/cc:1"}, ""},
		"a registry with a port": {"registry.example.com:5000/cc:1", []string{"registry.example.com:5000/cc:1"}, nil,
			[]string{"pull registry.example.com:5000/cc:1"}, "registry.example.com:5000/cc:1"},
		"the mirror itself": {mirror + "/org/cc:1", []string{mirror + "/org/cc:1"}, nil, []string{"pull " + mirror + "/org/cc:1"}, mirror + "/org/cc:1"},
		"by digest": {"org/cc@" + digest, []string{mirror + "/org/cc@" + digest}, nil,
			[]string{"pull " + mirror + "/org/cc@" + digest}, mirror + "/org/cc@" + digest},
		"by digest, pulled before": {"org/cc@" + digest, nil, []string{mirror + "/org/cc@" + digest}, nil, mirror + "/org/cc@" + digest},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			engine := fakeengine.New(t)
			for _, name := range test.there {
				engine.AddImage(fakeengine.Image{Name: name})
			}
			for _, name := range test.published {
				engine.Publish(fakeengine.Image{Name: name})
			}
			name, _, err := ensure(t, engine, baseimage.Pulls{Mirror: mirror}, platform.Image{Name: test.image})
			assert.Equal(t, test.calls, engine.ImageCalls())
			if test.name == "" {
				assert.Error(t, err)
				assert.Empty(t, engine.Images())
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.name, name)
			assert.Equal(t, []string{test.name}, engine.Images())
		})
	}
}

// The error names the registry, the user and the setting, and no secret.
func TestARefusedPullSaysWhoAsked(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "config.json")
	require.NoError(t, os.WriteFile(path, []byte(`{"auths":{
		"registry.example.com":{"auth":"YWRhOnMzY3JldA=="},"token.example.com":{"identitytoken":"t0ken"}},
		"credHelpers":{"helped.example.com":"no-such-helper"}}`), 0o600))
	tests := map[string]struct {
		image         string
		sent          map[string]string
		want, warning string
	}{
		"a user": {"registry.example.com/cc:1", map[string]string{"username": "ada", "password": "s3cret", "serveraddress": "registry.example.com"},
			`asking registry registry.example.com as user "ada" from ` + path, ""},
		"an identity token": {"token.example.com/cc:1", map[string]string{"identitytoken": "t0ken", "serveraddress": "token.example.com"},
			`asking registry token.example.com with the identity token from ` + path, ""},
		"nobody":          {"other.example.com/cc:1", nil, `asking registry other.example.com without credentials (none found in ` + path, ""},
		"a broken helper": {"helped.example.com/cc:1", nil, `asking registry helped.example.com without credentials`, "docker-credential-no-such-helper"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			engine := fakeengine.New(t)
			_, logged, err := ensure(t, engine, baseimage.Pulls{Credentials: registry.Locate(path, nil)}, platform.Image{Name: test.image})
			require.ErrorContains(t, err, test.want)
			assert.ErrorContains(t, err, "builder.registry.config")
			pulls := engine.Calls(fakeengine.Pull)
			require.Len(t, pulls, 1)
			assert.Equal(t, test.sent, pulls[0].Credentials(t))
			assert.Contains(t, logged, test.warning)
			for _, secret := range []string{"s3cret", "t0ken", "YWRhOnMzY3JldA=="} {
				assert.NotContains(t, err.Error()+logged, secret)
			}
		})
	}
}

func TestAPullThatIsGivenUpNamesTheSetting(t *testing.T) {
	const short, long = 50 * time.Millisecond, time.Minute
	for want, pulls := range map[string]baseimage.Pulls{
		"no progress for too long: 50ms, see builder.registry.inactivityTimeout": {Timeout: long, Inactivity: short},
		"took too long: 50ms, see builder.registry.timeout":                      {Timeout: short, Inactivity: long},
	} {
		engine := fakeengine.New(t)
		engine.On(fakeengine.Pull, fakeengine.Hang())
		_, _, err := ensure(t, engine, pulls, platform.Image{Name: "registry.example.com/cc:1"})
		assert.ErrorContains(t, err, want)
		assert.ErrorContains(t, err, "registry.example.com")
	}
}

// Two builders pull an image through a mirror at once, and the first of them has taken the mirror's name away by the time that
// the second one gives the image its own.
func TestTwoBuildersPullThroughAMirror(t *testing.T) {
	const name, mirrored = "org/cc:1", "mirror.example.com:5000/hub/org/cc:1"
	engine := fakeengine.New(t)
	engine.Publish(fakeengine.Image{Name: mirrored})
	engine.On(fakeengine.Tag, fakeengine.Once(fakeengine.Before(func() {
		engine.RemoveImage(mirrored)
		engine.AddImage(fakeengine.Image{Name: name})
	})))
	_, _, err := ensure(t, engine, baseimage.Pulls{Mirror: "mirror.example.com:5000/hub"}, platform.Image{Name: name})
	require.NoError(t, err)
	assert.Equal(t, []string{name}, engine.Images())
}

// Whoever has pulled an image under the mirror's name may need it.
func TestTheMirrorsNameStaysIfItWasThere(t *testing.T) {
	const name, mirrored = "org/cc:1", "mirror.example.com:5000/hub/org/cc:1"
	engine := fakeengine.New(t)
	engine.AddImage(fakeengine.Image{Name: mirrored})
	engine.Publish(fakeengine.Image{Name: mirrored})
	_, _, err := ensure(t, engine, baseimage.Pulls{Mirror: "mirror.example.com:5000/hub"}, platform.Image{Name: name})
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{name, mirrored}, engine.Images())
}
