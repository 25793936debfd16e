// SPDX-License-Identifier: Apache-2.0

package test_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// makeCommand returns a call of make in a source directory. It inherits no options of the make that runs the tests.
func makeCommand(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command("make", append([]string{"-C", dir}, args...)...)
	cmd.Env = append(os.Environ(), "MAKEFLAGS=", "MFLAGS=", "MAKELEVEL=")
	return cmd
}

// makeInstall runs make install with a umask that hides all files from others.
func makeInstall(t *testing.T, variables ...string) (string, error) {
	t.Helper()
	cmd := makeCommand("..", append([]string{"--silent", "install"}, variables...)...)
	cmd.Args = append([]string{"sh", "-c", `umask 077 && exec "$0" "$@"`}, cmd.Args...)
	cmd.Path = "/bin/sh"
	output, err := cmd.CombinedOutput()
	return string(output), err
}

// fakePrograms returns a directory with four programs.
func fakePrograms(t *testing.T, content string) string {
	t.Helper()
	dir := t.TempDir()
	for _, phase := range []string{"detect", "build", "release", "run"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, phase), []byte(content), 0o700))
	}
	return dir
}

// installedFiles returns the modes of all files and directories below root.
func installedFiles(t *testing.T, root string) map[string]string {
	t.Helper()
	found := map[string]string{}
	require.NoError(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := entry.Info()
		found[strings.TrimPrefix(path, root)] = info.Mode().String()
		return err
	}))
	return found
}

func TestInstall(t *testing.T) {
	root := t.TempDir()
	output, err := makeInstall(t, "BIN="+fakePrograms(t, "one"), "DESTDIR="+root)
	require.NoError(t, err, output)
	const home = "/opt/hyperledger/docker_builder"
	assert.Equal(t, map[string]string{
		"/opt": "drwxr-xr-x", "/opt/hyperledger": "drwxr-xr-x", home: "drwxr-xr-x", home + "/bin": "drwxr-xr-x",
		home + "/bin/detect": "-rwxr-xr-x", home + "/bin/build": "-rwxr-xr-x", home + "/bin/release": "-rwxr-xr-x", home + "/bin/run": "-rwxr-xr-x",
		home + "/config.yaml": "-rw-r--r--", home + "/LICENSE": "-rw-r--r--", home + "/NOTICE": "-rw-r--r--",
	}, installedFiles(t, root), "the peer's user must be able to read them")
}

func TestInstallKeepsSettingsAndReplacesPrograms(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "a builder")
	output, err := makeInstall(t, "BIN="+fakePrograms(t, "one"), "PREFIX="+prefix)
	require.NoError(t, err, output)
	config := filepath.Join(prefix, "config.yaml")
	require.NoError(t, os.WriteFile(config, []byte("vm: {}\n"), 0o600))
	require.NoError(t, os.Chmod(config, 0o640))
	before := installedFiles(t, prefix)
	running, err := os.Open(filepath.Join(prefix, "bin", "run"))
	require.NoError(t, err)
	defer running.Close()

	output, err = makeInstall(t, "BIN="+fakePrograms(t, "two"), "PREFIX="+prefix)
	require.NoError(t, err, output)
	assert.Equal(t, before, installedFiles(t, prefix), "nothing else is left")
	content, err := os.ReadFile(config)
	require.NoError(t, err)
	assert.Equal(t, "vm: {}\n", string(content))
	content, err = os.ReadFile(running.Name())
	require.NoError(t, err)
	assert.Equal(t, "two", string(content))
	content = make([]byte, 3)
	_, err = running.Read(content)
	require.NoError(t, err)
	assert.Equal(t, "one", string(content), "a program that runs keeps its file")

	// A link to settings that are mounted later is the operator's as well.
	require.NoError(t, os.Remove(config))
	require.NoError(t, os.Symlink("elsewhere", config))
	output, err = makeInstall(t, "BIN="+fakePrograms(t, "two"), "PREFIX="+prefix)
	require.NoError(t, err, output)
	target, err := os.Readlink(config)
	require.NoError(t, err)
	assert.Equal(t, "elsewhere", target)
}

func TestInstallNeedsThePrograms(t *testing.T) {
	root, bin := t.TempDir(), fakePrograms(t, "one")
	require.NoError(t, os.Remove(filepath.Join(bin, "release")))
	output, err := makeInstall(t, "BIN="+bin, "DESTDIR="+root)
	assert.Error(t, err)
	assert.Contains(t, output, bin+"/release is missing: run make first")
	assert.Empty(t, installedFiles(t, root))
}
