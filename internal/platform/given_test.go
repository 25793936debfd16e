// SPDX-License-Identifier: Apache-2.0

package platform_test

import (
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// write writes a file and returns its name.
func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

func withSecrets(secrets map[string]string, transport ...string) config.Settings {
	settings := config.Defaults()
	settings.Builder.Build.Secrets, settings.Builder.Build.Transport = secrets, transport
	return settings
}

// Builds in a container get the secrets, except those that may run any code of a package with C.
func TestWhichBuildsGetSecrets(t *testing.T) {
	settings := withSecrets(map[string]string{"~/.netrc": write(t, "login"), "/etc/key": write(t, "\x00\xff")})
	for name, test := range map[string]struct {
		pkg   metadata.Package
		files []string
	}{
		"golang": {metadata.Package{Type: "golang"}, []string{"src/go.mod"}},
		"java":   {metadata.Package{Type: "java"}, []string{"src/pom.xml"}},
	} {
		planned, err := planFor(test.pkg, source(test.files...), settings, nil)
		require.NoError(t, err, name)
		require.Len(t, planned.Given.Secrets, 2, name)
		assert.Equal(t, "/etc/key", planned.Given.Secrets[0].Place)
		assert.Equal(t, "\x00\xff", string(planned.Given.Secrets[0].Content))
		assert.Equal(t, "AP8=\nbG9naW4=\nend\n", string(planned.Given.Input()))
		assert.NotContains(t, strings.Join(planned.Given.Wrap(planned.Command), " "), "bG9naW4=")
	}
	planned, err := planFor(metadata.Package{Type: "golang"}, source("src/go.mod"), settings, nil)
	require.NoError(t, err)
	assert.True(t, planned.WithC.Given.IsZero())
	assert.True(t, planned.WithC.Base.Given.IsZero())
	assert.Equal(t, planned.Given.Input(), planned.WithC.Modules.Given.Input())
	assert.Equal(t, planned.Command, platform.Given{}.Wrap(planned.Command))
	assert.Empty(t, platform.Given{}.Input())
}

// A setting that can change the output changes the image; a login does not. What is shared depends on both.
func TestWhatSecretsChange(t *testing.T) {
	node := func(settings config.Settings) platform.Plan {
		files := nodePackage()
		files["src/package-lock.json"] = &fstest.MapFile{Data: []byte(`{"lockfileVersion": 3}`)}
		planned, err := planFor(metadata.Package{Type: "node"}, files, settings, nil)
		require.NoError(t, err)
		require.NotNil(t, planned.Snapshot)
		return planned
	}
	golang := func(settings config.Settings) platform.Plan {
		planned, err := planFor(metadata.Package{Type: "golang"}, source("src/go.mod"), settings, nil)
		require.NoError(t, err)
		return planned
	}
	none := node(config.Defaults())
	for name, test := range map[string]struct {
		settings       config.Settings
		output, shared bool
	}{
		".npmrc":                  {withSecrets(map[string]string{"~/.npmrc": write(t, "a")}), true, true},
		".netrc":                  {withSecrets(map[string]string{"~/.netrc": write(t, "a")}), false, true},
		".git-credentials":        {withSecrets(map[string]string{"/root/.git-credentials": write(t, "a")}), false, true},
		"named as transport":      {withSecrets(map[string]string{"~/.npmrc": write(t, "a")}, "~/.npmrc"), false, true},
		"a pattern for transport": {withSecrets(map[string]string{"/etc/keys/a": write(t, "a")}, "/etc/keys/*"), false, true},
	} {
		t.Run(name, func(t *testing.T) {
			planned := node(test.settings)
			assert.Equal(t, test.output, len(planned.DigestInputs) > len(none.DigestInputs))
			assert.Equal(t, test.shared, len(planned.Snapshot.Environment) > len(none.Snapshot.Environment))
			for _, cache := range golang(test.settings).Caches {
				assert.NotEmpty(t, cache.Environment, "modules are shared only with the same credentials")
			}
		})
	}
	one := node(withSecrets(map[string]string{"~/.npmrc": write(t, "one")}))
	assert.Equal(t, one.DigestInputs, node(withSecrets(map[string]string{"~/.npmrc": write(t, "one")})).DigestInputs, "wherever the file is")
	assert.NotEqual(t, one.DigestInputs, node(withSecrets(map[string]string{"~/.npmrc": write(t, "other")})).DigestInputs)
	assert.NotContains(t, strings.Join(one.DigestInputs, " "), "one")
}

func TestSecretFilesThatCannotBeRead(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	for name, test := range map[string]struct{ file, want string }{
		"missing":     {"/no/such/file", "no such file or directory"},
		"a directory": {t.TempDir(), "is a directory"},
		"a FIFO":      {fifo, "regular file"},
		"huge":        {write(t, strings.Repeat("x", platform.MaxSecrets+1)), "larger than"},
	} {
		_, err := planFor(metadata.Package{Type: "golang"}, source("src/go.mod"), withSecrets(map[string]string{"~/.netrc": test.file}), nil)
		require.Error(t, err, name)
		assert.ErrorContains(t, err, "reading the secret file for ~/.netrc (builder.build.secrets): ", name)
		assert.ErrorContains(t, err, test.want, name)
	}
	half := strings.Repeat("x", platform.MaxSecrets/2+1)
	_, err := planFor(metadata.Package{Type: "golang"}, source("src/go.mod"), withSecrets(map[string]string{"/a": write(t, half), "/b": write(t, half)}), nil)
	assert.ErrorContains(t, err, "the secret files in builder.build.secrets have more than 20480 bytes together")
	assert.LessOrEqual(t, len(half)*2*4/3, 32<<10, "what an engine takes for a container that does not run yet")
}

func TestCABundle(t *testing.T) {
	server := httptest.NewTLSServer(nil)
	server.Close()
	certificate := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("secret")}))
	settings := config.Defaults()
	settings.Builder.Build.CABundle = write(t, "# a comment\nsubject=…\n"+certificate+key+"more text\n"+certificate)
	planned, err := planFor(metadata.Package{Type: "golang"}, source("src/go.mod"), settings, nil)
	require.NoError(t, err)
	assert.Equal(t, certificate+certificate, string(planned.Given.CABundle), "no text around, and no keys")
	assert.Empty(t, planned.Given.Input(), "it is no secret: it comes with the package")
	assert.NotEmpty(t, planned.Caches[0].Environment)
	for name, test := range map[string]struct{ file, want string }{
		"missing":              {"/no/such/file", "open /no/such/file: no such file or directory"},
		"DER":                  {write(t, "\x30\x82"), "it holds no certificate: expected PEM"},
		"a key":                {write(t, key), "it holds no certificate: expected PEM"},
		"a broken certificate": {write(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}))), "x509: "},
	} {
		settings.Builder.Build.CABundle = test.file
		_, err := planFor(metadata.Package{Type: "golang"}, source("src/go.mod"), settings, nil)
		require.Error(t, err, name)
		assert.ErrorContains(t, err, "reading the CA bundle "+test.file+" (builder.build.caBundle): "+test.want, name)
	}
}

// "docker inspect" shows the environment of a container to whoever may use the engine.
func TestVariablesThatMayHoldSecrets(t *testing.T) {
	settings := config.Defaults()
	private := []string{
		"HTTPS_PROXY=http://user:secret@proxy:3128", "GOPROXY=https://a.example.com,https://user@b.example.com|direct", "NPM_TOKEN=it's a $secret",
		"NEXUS_PASSWORD=x", "npm_config__auth=x", "my_secret=x", "HTTP_PROXY=user:%zz@proxy",
	}
	public := []string{"GOFLAGS=-tags=a@b", "NO_PROXY=a,b", "my-token=x", "CUSTOM=https://example.com/@scope"}
	settings.Builder.Build.Environment = append(append(config.Environment{}, private...), public...)
	planned, err := planFor(metadata.Package{Type: "golang"}, source("src/go.mod"), settings, nil)
	require.NoError(t, err)
	assert.Subset(t, planned.Given.Variables, private)
	assert.Contains(t, planned.Given.Variables, "https_proxy=http://user:secret@proxy:3128")
	assert.Subset(t, planned.Environment, public)
	assert.Contains(t, planned.Environment, "no_proxy=a,b")
	for _, variable := range planned.Environment {
		assert.NotContains(t, variable, "secret")
	}
}

// The operator's proxy for builds takes the place of the peer's, however either is spelled.
func TestTheProxyOfTheSettingsWins(t *testing.T) {
	settings := config.Defaults()
	settings.Builder.Build.Environment = config.Environment{"HTTPS_PROXY=http://settings"}
	planned, err := planFor(metadata.Package{Type: "golang"}, source("src/go.mod"), settings, []string{"https_proxy=http://peer", "http_proxy=http://peer"})
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{"HTTPS_PROXY=http://settings", "https_proxy=http://settings", "http_proxy=http://peer", "HTTP_PROXY=http://peer"}, planned.Environment)
}

func TestNODE_REGISTRY(t *testing.T) {
	registry := func(environ ...string) []string {
		return plan(t, metadata.Package{Type: "node"}, nodePackage(), environ...).Environment
	}
	assert.Equal(t, []string{"NODE_REGISTRY=http://a", "NPM_CONFIG_REGISTRY=http://a"}, registry("NODE_REGISTRY=http://a"))
	assert.Equal(t, []string{"NODE_REGISTRY=http://a", "NPM_CONFIG_REGISTRY=http://b"}, registry("NODE_REGISTRY=http://a", "NPM_CONFIG_REGISTRY=http://b"))
	assert.Equal(t, []string{"NODE_REGISTRY=http://a", "npm_config_registry=http://b"}, registry("NODE_REGISTRY=http://a", "npm_config_registry=http://b"))
}

// A proxy with a password is not among them: a Dockerfile can show its arguments in the image.
func TestProxiesAreBuildArgumentsOfDockerfiles(t *testing.T) {
	got := plan(t, metadata.Package{Type: "docker"}, source("src/Dockerfile"), "HTTP_PROXY=http://a", "HTTPS_PROXY=http://user:secret@a", "CUSTOM=1")
	assert.Equal(t, []string{"HTTP_PROXY=http://a", "http_proxy=http://a"}, got.BuildArgs)
	assert.Empty(t, got.DigestInputs)
}
