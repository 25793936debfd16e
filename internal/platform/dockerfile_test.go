// SPDX-License-Identifier: Apache-2.0

package platform_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

const pinnedImage = `{"name":"example.com/cc","digest":"sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"}`

func TestDockerPlan(t *testing.T) {
	tests := map[string]struct {
		files  []string
		kind   platform.Kind
		atRoot bool
		want   string // error, empty for none
	}{
		"in src":                   {[]string{"src/Dockerfile", "src/main.rs"}, platform.Dockerfile, false, ""},
		"at the root":              {[]string{"Dockerfile", "main.rs"}, platform.Dockerfile, true, ""},
		"at the root, with a src/": {[]string{"Dockerfile", "src/main.rs"}, platform.Dockerfile, true, ""},
		"with image.json in src":   {[]string{"src/Dockerfile", "src/image.json"}, platform.Dockerfile, false, ""},
		"neither":                  {[]string{"src/main.rs"}, 0, false, "reading image.json: file does not exist, and there is no src/Dockerfile"},
		"a directory":              {[]string{"src/Dockerfile/x"}, 0, false, "there is no src/Dockerfile"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			plan, err := planFor(metadata.Package{Type: "docker"}, source(test.files...), config.Defaults(), nil)
			if test.want != "" {
				assert.ErrorContains(t, err, test.want)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.kind, plan.Kind)
			assert.Equal(t, test.atRoot, plan.CodeAtRoot)
		})
	}
	both := source("src/Dockerfile")
	both["image.json"] = source("x")["x"]
	both["image.json"].Data = []byte(pinnedImage)
	plan, err := planFor(metadata.Package{Type: "docker"}, both, config.Defaults(), nil)
	require.NoError(t, err)
	assert.Equal(t, platform.Prebuilt, plan.Kind, "image.json takes precedence")
	_, err = planFor(metadata.Package{Type: "k8s"}, source("src/Dockerfile"), config.Defaults(), nil)
	assert.ErrorContains(t, err, "image.json", "fabric-builder-k8s does not build Dockerfiles")
}

// Build arguments come from the settings and the proxies, never from the package.
func TestBuildArguments(t *testing.T) {
	settings := config.Defaults()
	settings.Builder.BuildArgs = config.Environment{"VERSION=2", "HTTPS_PROXY=http://user:secret@proxy.example.com", "A=1"}
	plan, err := planFor(metadata.Package{Type: "docker"}, source("src/Dockerfile"), settings, []string{"HTTP_PROXY=http://proxy.example.com", "GOPROXY=x"})
	require.NoError(t, err)
	assert.Equal(t, []string{
		"A=1", "HTTPS_PROXY=http://user:secret@proxy.example.com", "HTTP_PROXY=http://proxy.example.com", "VERSION=2", "http_proxy=http://proxy.example.com",
	}, plan.BuildArgs)
	assert.Equal(t, []string{"A=1", "VERSION=2"}, plan.DigestInputs, "a proxy does not change the output")
	assert.Empty(t, plan.Environment)
	command, err := platform.StartCommand(metadata.Record{Type: "docker"}, settings, "peer:7052")
	require.NoError(t, err)
	assert.Nil(t, command, "the image's own command")
}
