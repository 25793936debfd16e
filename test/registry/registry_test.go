// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/test/registry"
)

var content = registry.Content{
	Files:      map[string]registry.File{"/bin/chaincode": {Body: []byte("binary"), Executable: true}, "/etc/passwd": {Body: []byte("root:x:0:0\n")}},
	Entrypoint: []string{"/bin/chaincode"}, User: "500", Labels: map[string]string{"a": "b"}, Volumes: []string{"/data"},
}

// get pulls an image with all its layers.
func get(t *testing.T, ref string, options ...remote.Option) (v1.Image, error) {
	t.Helper()
	parsed, err := name.ParseReference(ref, name.Insecure)
	require.NoError(t, err)
	options = append(options, remote.WithContext(t.Context()), remote.WithRetryBackoff(remote.Backoff{Steps: 1}), remote.WithRetryStatusCodes())
	image, err := remote.Image(parsed, options...)
	if err != nil {
		return nil, err
	}
	layers, err := image.Layers()
	if err != nil {
		return nil, err
	}
	for _, layer := range layers {
		stream, err := layer.Compressed()
		if err != nil {
			return nil, err
		}
		defer stream.Close()
		buffer := make([]byte, 1<<20)
		for err == nil {
			_, err = stream.Read(buffer)
		}
		if err.Error() != "EOF" {
			return nil, err
		}
	}
	return image, nil
}

func TestAnImageComesBackAsItWasPushed(t *testing.T) {
	r := registry.Start(t)
	digest := r.Push(t, "chaincodes/kv:1.0", registry.Image(t, content))
	assert.Equal(t, digest, r.Push(t, "chaincodes/kv:1.1", registry.Image(t, content)), "the same content has the same digest")
	for _, ref := range []string{"chaincodes/kv:1.0", "chaincodes/kv@" + digest} {
		image, err := get(t, r.Ref(ref))
		require.NoError(t, err)
		file, err := image.ConfigFile()
		require.NoError(t, err)
		assert.Equal(t, content.Entrypoint, file.Config.Entrypoint)
		assert.Equal(t, "500", file.Config.User)
		assert.Contains(t, file.Config.Volumes, "/data")
	}
	require.NotEmpty(t, r.Requests())
	assert.Equal(t, "/v2/", r.Requests()[0].Path)
}

func TestCredentials(t *testing.T) {
	user := func(name, password string) authn.Authenticator {
		return authn.FromConfig(authn.AuthConfig{Username: name, Password: password})
	}
	token := func(token string) authn.Authenticator {
		return authn.FromConfig(authn.AuthConfig{IdentityToken: token})
	}
	tests := map[string]struct {
		auth registry.Option
		who  authn.Authenticator
		in   bool
	}{
		"nobody":                        {registry.WithCredentials("ada", "secret"), authn.Anonymous, false},
		"wrong password":                {registry.WithCredentials("ada", "secret"), user("ada", "x"), false},
		"the right user":                {registry.WithCredentials("ada", "secret"), user("ada", "secret"), true},
		"wrong identity":                {registry.WithIdentityToken("id"), token("x"), false},
		"right identity":                {registry.WithIdentityToken("id"), token("id"), true},
		"nobody, no credentials needed": {func(*registry.Registry) {}, authn.Anonymous, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := registry.Start(t, test.auth)
			r.Push(t, "kv:1", registry.Image(t, content))
			_, err := get(t, r.Ref("kv:1"), remote.WithAuth(test.who))
			if test.in {
				assert.NoError(t, err)
				return
			}
			var refused *transport.Error
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, http.StatusUnauthorized, refused.StatusCode)
		})
	}
}

func TestFaults(t *testing.T) {
	r := registry.Start(t)
	r.Push(t, "kv:1", registry.Image(t, content))
	for _, status := range []int{401, 403, 429, 500} {
		r.Break(registry.Status(status))
		_, err := get(t, r.Ref("kv:1"))
		var refused *transport.Error
		require.ErrorAs(t, err, &refused)
		assert.Equal(t, status, refused.StatusCode)
	}
	r.Break(registry.CutBlobs(10))
	_, err := get(t, r.Ref("kv:1"))
	assert.Error(t, err)
	r.Break(nil)
	_, err = get(t, r.Ref("kv:1"))
	assert.NoError(t, err)
}

func TestARegistryThatHangsEndsWithItsTest(t *testing.T) {
	answered := make(chan error, 1)
	t.Run("hanging", func(t *testing.T) {
		r := registry.Start(t)
		r.Break(registry.Hang())
		go func() {
			response, err := http.Get("http://" + r.Host + "/v2/")
			if err == nil {
				response.Body.Close()
			}
			answered <- err
		}()
		require.Eventually(t, func() bool { return len(r.Requests()) == 1 }, time.Minute, time.Millisecond)
	})
	assert.ErrorAs(t, <-answered, new(*url.Error))
}
