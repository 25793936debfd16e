// SPDX-License-Identifier: Apache-2.0

package check

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/test/fakeengine"
)

// What settings name and what is not there makes every build fail, so it must not look well here.
func TestFilesThatSettingsNameAreMissing(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	require.NoError(t, os.WriteFile(empty+".json", []byte("{"), 0o600))
	for name, test := range map[string]struct {
		set  func(i *installation)
		want []string
	}{
		"a secret": {func(i *installation) {
			i.set("builder", "build", map[string]any{"secrets": map[string]any{"~/.npmrc": "none"}})
		},
			[]string{"reading the secret file for ~/.npmrc (builder.build.secrets): ", "no such file or directory", "every build fails with this error"}},
		"the CA bundle": {func(i *installation) { i.set("builder", "build", map[string]any{"caBundle": "none.pem"}) },
			[]string{"none.pem (builder.build.caBundle): ", "no such file or directory"}},
		"its certificates": {func(i *installation) { i.set("builder", "build", map[string]any{"caBundle": empty}) }, []string{"it holds no certificate"}},
		"credentials": {func(i *installation) { i.set("builder", "registry", map[string]any{"config": "/no/such.json"}) },
			[]string{"/no/such.json: ", "images are pulled without credentials"}},
		"credentials that are none": {func(i *installation) { i.set("builder", "registry", map[string]any{"config": empty + ".json"}) },
			[]string{empty + ".json", "images are pulled without credentials"}},
	} {
		t.Run(name, func(t *testing.T) {
			i := newInstallation(t, fakeengine.New(t))
			test.set(i)
			i.finds("files", test.want...)
		})
	}
	i := newInstallation(t, fakeengine.New(t))
	i.set("builder", "metrics", map[string]any{"directory": "/no/such"})
	lines, healthy := i.check()
	assert.True(t, healthy, "builds and launches go on: "+lines)
	assert.Contains(t, lines, "note  files: /no/such (builder.metrics.directory) is no directory")
	i.set("builder", "metrics", map[string]any{"directory": i.home})
	i.readOnly = true
	lines, healthy = i.check()
	assert.True(t, healthy, "builds and launches go on: "+lines)
	assert.Contains(t, lines, "cannot write to "+i.home+" (builder.metrics.directory), so no figures are kept")
}

func TestNetworksOfBuildsAndOverridesAreMissing(t *testing.T) {
	i := newInstallation(t, fakeengine.New(t))
	i.set("builder", "build", map[string]any{"network": "nonet"})
	i.finds("network", "the engine has no network nonet (builder.build.network), only ")
	i = newInstallation(t, fakeengine.New(t))
	i.set("builder", "build", map[string]any{"network": "host"})
	i.set("builder", "overrides", []any{map[string]any{"label": "a", "network": "fabric"}, map[string]any{"label": "b", "network": "nonet"}})
	i.finds("network", "the engine has no network nonet (builder.overrides[1].network), only ")
}

func TestAnImageOfAnOverrideIsMissing(t *testing.T) {
	i := newInstallation(t, fakeengine.New(t))
	i.set("builder", "pullPolicy", "never")
	i.set("builder", "overrides", []any{map[string]any{"label": "a", "images": map[string]any{"builder": "no/such:1", "runtime": runtimeImage}}})
	lines := i.finds("images", "no/such:1 is not on the engine")
	assert.Contains(t, lines, "builder.overrides is 1 entry")
}

func TestASocketThatIsNone(t *testing.T) {
	i := newInstallation(t, nil)
	i.set("vm", "endpoint", "unix://"+t.TempDir())
	lines, healthy := i.check()
	assert.False(t, healthy)
	assert.Contains(t, lines, "is not a socket: correct vm.endpoint or DOCKER_HOST; Docker makes a directory of what a mount does not find")
}

// A forgotten port must not lead to the advice to delete a build.
func TestAnArgumentThatIsNothing(t *testing.T) {
	for _, argument := range []string{"peer0", "/no/such/directory", "peer0:", "peer0:x"} {
		c := &checker{process: cli.Process{Args: []string{argument}}}
		assert.EqualError(t, c.readArguments(), `argument "`+argument+`" is neither HOST:PORT, the address of the peer, nor a directory with a build`)
	}
}

// builder.registry.config may name the directory, as DOCKER_CONFIG does.
func TestTheDirectoryOfTheCredentials(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte("{}"), 0o600))
	i := newInstallation(t, fakeengine.New(t))
	i.set("builder", "registry", map[string]any{"config": dir})
	lines, healthy := i.check()
	assert.True(t, healthy, lines)
}
