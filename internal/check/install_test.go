// SPDX-License-Identifier: Apache-2.0

package check

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/test/fakeengine"
)

func TestAProgramCannotBeExecuted(t *testing.T) {
	i := newInstallation(t, fakeengine.New(t))
	detect := filepath.Join(i.home, "bin", "detect")
	require.NoError(t, os.Chmod(detect, 0o644))
	i.finds("programs", detect+" has no execute bit (its mode is -rw-r--r--)", "chmod a+rx "+detect)
	require.NoError(t, os.Remove(detect))
	i.finds("programs", detect+" is missing", "install all four programs")
}

func TestAWrongKeyInConfigYAML(t *testing.T) {
	i := newInstallation(t, fakeengine.New(t))
	i.set("builder", "pulPolicy", "never")
	lines := i.finds("settings", filepath.Join(i.home, "config.yaml")+": builder.pulPolicy: unknown key: expected one of ", "correct it")
	assert.Contains(t, lines, "ok    programs: ", "what needs no settings is checked")
	assert.Contains(t, lines, "note  engine: not checked")
}

// Tests may run as root, who can read any file, so the file is a directory at first, and the settings say the rest.
func TestCoreYAMLCannotBeRead(t *testing.T) {
	i := newInstallation(t, fakeengine.New(t))
	dir := t.TempDir()
	path := filepath.Join(dir, "core.yaml")
	require.NoError(t, os.Mkdir(path, 0o755))
	i.environ = append(i.environ, "FABRIC_CFG_PATH="+dir)
	i.finds("settings", path, "correct it")

	i = newInstallation(t, fakeengine.New(t))
	i.load = func(dir string, environ []string) (config.Settings, error) {
		settings, err := config.Load(dir, environ)
		settings.Sources.Unreadable = []string{path}
		settings.Warnings = []string{path + ": permission denied: the file is ignored", "another"}
		return settings, err
	}
	lines := i.finds("settings", path+": permission denied for uid ", "let this user read it")
	assert.NotContains(t, lines, "the file is ignored", "once is enough")
	assert.Contains(t, lines, "note  settings: another")
}

func TestCoreYAMLIsNoYAML(t *testing.T) {
	i := newInstallation(t, fakeengine.New(t))
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "core.yaml"), []byte("peer: ["), 0o644))
	i.environ = append(i.environ, "FABRIC_CFG_PATH="+dir)
	i.finds("settings", filepath.Join(dir, "core.yaml")+": invalid YAML: ")
}

func TestNoSecretIsShown(t *testing.T) {
	i := newInstallation(t, fakeengine.New(t))
	i.set("builder", "environment", map[string]any{"TOKEN": "s3cret"})
	i.set("builder", "buildArgs", []string{"TOKEN=s3cret"})
	lines, healthy := i.check()
	assert.True(t, healthy, lines)
	assert.Contains(t, lines, "ok    setting: builder.environment is TOKEN (values are not shown), from "+filepath.Join(i.home, "config.yaml"))
	assert.NotContains(t, lines, "s3cret")
}

func TestABuildIsIncomplete(t *testing.T) {
	engine := fakeengine.New(t)
	i := newInstallation(t, engine)
	production := t.TempDir()
	kept := filepath.Join(production, "externalbuilder", "builds", "basic_1.0-abc")
	output := filepath.Join(kept, "bld")
	require.NoError(t, os.MkdirAll(output, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(output, metadata.SourceFile), []byte("source"), 0o644))
	require.NoError(t, metadata.WriteRecord(output, metadata.Record{Type: "golang", Label: "basic_1.0", Image: runtimeImage, InstallToken: "t"}))
	arguments := i.args
	given := map[string]func(){
		"the kept directory": func() { i.args = append(arguments, kept) },
		"OUTPUT_DIR":         func() { i.args = append(arguments, output) },
		"that of the peer":   func() { i.args, i.environ = arguments, append(i.environ, "CORE_PEER_FILESYSTEMPATH="+production) },
	}
	for name, give := range given {
		t.Run(name, func(t *testing.T) {
			give()
			lines, healthy := i.check()
			assert.True(t, healthy, lines)
			assert.Contains(t, lines, "ok    build: "+output+" is complete: basic_1.0")
			assert.Contains(t, lines, "ok    images: "+runtimeImage+" of basic_1.0 is on the engine")
		})
	}
	require.NoError(t, os.Remove(filepath.Join(output, metadata.SourceFile)))
	i.finds("build", "the build output is incomplete", "delete "+kept+" and restart the peer")
}

func TestTheImageOfABuildIsGone(t *testing.T) {
	i := newInstallation(t, fakeengine.New(t))
	output := t.TempDir()
	i.args = append(i.args, output)
	record := metadata.Record{Type: "golang", Label: "basic_1.0", Image: "gone:1", InstallToken: "t"}
	require.NoError(t, metadata.WriteRecord(output, record))
	i.finds("images", "gone:1 of basic_1.0 is not on the engine, and its source was not saved", "delete "+output)
	require.NoError(t, os.WriteFile(filepath.Join(output, metadata.SourceFile), []byte("source"), 0o644))
	require.NoError(t, metadata.WriteRecord(output, record))
	lines, healthy := i.check()
	assert.True(t, healthy, lines)
	assert.Contains(t, lines, "note  images: gone:1 of basic_1.0 is not on the engine: the next launch makes it again")
}
