// SPDX-License-Identifier: Apache-2.0

package platform_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
)

// npmEvents lists the lifecycle events in the documentation of npm 6 to 11, and two that only older documentation has:
// shrinkwrap and uninstall. The test also tries each with the prefixes pre and post, whether or not npm has such an event.
var npmEvents = []string{
	"install", "prepare", "prepublish", "prepublishOnly", "publish", "prepack", "pack", "dependencies", "start", "stop",
	"restart", "test", "version", "shrinkwrap", "uninstall",
}

// npmEvent matches a lifecycle event in npm's documentation.
var npmEvent = regexp.MustCompile("(?m)^ *\\* `([a-zA-Z]+)`$")

// npmPackage is a package.json with one dependency and the given scripts.
const npmPackage = `{"name":"events","version":"1.0.0","scripts":%s,"dependencies":{"is-number":"7.0.0"}}`

// npmPackageLock is its lock file, in a version that every npm reads.
const npmPackageLock = `{"name":"events","version":"1.0.0","lockfileVersion":2,"requires":true,
"packages":{"":{"name":"events","version":"1.0.0","dependencies":{"is-number":"7.0.0"}},"node_modules/is-number":{` + isNumber + `}},
"dependencies":{"is-number":{` + isNumber + `}}}`

// isNumber has no URL, so that npm downloads it from the registry that the machine is configured to use.
const isNumber = `"version":"7.0.0","integrity":"sha512-41Cifkg6e8TylSpdtTpeLVMqvSBEVzTttHvERD741+pnZ8ANv0004MRL43QKPDlK9cGvNp6NZWZUBlbGXYxxng=="`

// A script of the package itself that npm runs while it installs dependencies may use the code. npm's documentation is
// incomplete, so the test runs npm to find all of them.
func TestNoSnapshotForAnyScriptThatNpmRuns(t *testing.T) {
	const (
		installs = "preinstall install postinstall "
		shrinks  = " preshrinkwrap shrinkwrap postshrinkwrap"
		all      = "predependencies dependencies postdependencies " + installs + "prepublish preprepare prepare postprepare"
	)
	// Each command and the scripts that it runs. The last command needs what the others have installed.
	newer := [][2]string{
		{"ci --omit=dev", all}, {"ci --production", all}, {"install --omit=dev", all}, {"install --production", all}, {"rebuild --ignore-scripts", ""},
	}
	tests := map[string][][2]string{
		"6.14.18": {
			{"ci --omit=dev", installs + "prepublish prepare"}, {"ci --production", installs + "prepublish prepare"},
			{"install --omit=dev", installs + "prepublish prepare" + shrinks}, {"install --production", installs + shrinks},
			{"rebuild --ignore-scripts", ""},
		},
		"8.19.4": newer, "10.9.9": newer, "11.21.2": newer,
	}
	for version, commands := range tests {
		t.Run("npm "+version, func(t *testing.T) {
			t.Parallel()
			npm := installNpm(t, version)
			events := npm.events(t)
			for _, command := range commands {
				ran := npm.run(t, events, command[0])
				assert.ElementsMatch(t, strings.Fields(command[1]), ran, command[0])
				for _, event := range ran {
					alone, err := json.Marshal(map[string]string{event: "node patch.js"})
					require.NoError(t, err)
					got := plan(t, metadata.Package{Type: "node"}, files("package.json", fmt.Sprintf(npmPackage, alone), "package-lock.json", npmPackageLock))
					assert.Nil(t, got.Snapshot, "npm %s runs %s", command[0], event)
					assert.Equal(t, fmt.Sprintf("package.json has a script %q, which may use the code", event), got.NoSnapshotReason)
				}
			}
		})
	}
}

// testNpm is an npm from the registry, and a directory with a package for it.
type testNpm struct{ dir, cache, work string }

// installNpm installs a version of npm in the user's cache directory, unless it is already there.
func installNpm(t *testing.T, version string) testNpm {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err == nil {
		cache = filepath.Join(cache, "fabric-builder-docker-test")
		err = os.MkdirAll(cache, 0o755)
	}
	if err != nil {
		cache = t.TempDir()
	}
	npm := testNpm{dir: filepath.Join(cache, "npm-"+version), cache: filepath.Join(cache, "npm-cache"), work: t.TempDir()}
	if _, err := os.Stat(npm.dir); err == nil {
		return npm
	}
	_, err = exec.LookPath("npm")
	require.NoError(t, err, "this test installs npm %s from the npm registry, with the npm of this machine", version)
	fresh, err := os.MkdirTemp(cache, "installing-")
	require.NoError(t, err)
	defer os.RemoveAll(fresh)
	npm.call(t, fresh, "npm", "install", "--prefix", fresh, "npm@"+version)
	if err := os.Rename(fresh, npm.dir); err != nil { // another run may have been faster
		require.DirExists(t, npm.dir, err)
	}
	return npm
}

// events returns npmEvents with all prefixes, and checks that they include the events in the documentation of this npm.
func (n testNpm) events(t *testing.T) []string {
	t.Helper()
	var events []string
	for _, event := range npmEvents {
		events = append(events, event, "pre"+event, "post"+event)
	}
	text, err := os.ReadFile(filepath.Join(n.dir, "node_modules/npm/docs/content/using-npm/scripts.md"))
	require.NoError(t, err)
	listed := npmEvent.FindAllStringSubmatch(string(text), -1)
	require.NotEmpty(t, listed)
	for _, event := range listed {
		assert.Contains(t, events, event[1], "npm's documentation has an event that this test does not know")
	}
	return events
}

// run runs an npm command in the package and returns the events whose scripts npm ran.
func (n testNpm) run(t *testing.T, events []string, command string) []string {
	t.Helper()
	noted := filepath.Join(n.work, "noted")
	scripts := map[string]string{}
	for _, event := range events {
		scripts[event] = "echo " + event + " >>noted"
	}
	text, err := json.Marshal(scripts)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(n.work, "package.json"), fmt.Appendf(nil, npmPackage, text), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(n.work, "package-lock.json"), []byte(npmPackageLock), 0o644))
	require.NoError(t, os.WriteFile(noted, nil, 0o644))
	if strings.HasPrefix(command, "install") {
		require.NoError(t, os.RemoveAll(filepath.Join(n.work, "node_modules"))) // otherwise there would be nothing to install
	}
	n.call(t, n.work, "node", append([]string{filepath.Join(n.dir, "node_modules/npm/bin/npm-cli.js")}, strings.Fields(command)...)...)
	require.FileExists(t, filepath.Join(n.work, "node_modules/is-number/package.json"), command)
	ran, err := os.ReadFile(noted)
	require.NoError(t, err)
	events = strings.Fields(string(ran))
	slices.Sort(events)
	return slices.Compact(events) // a repeated call notes some of them twice
}

// settings returns npm's settings as environment variables. They do not include the registry, so npm uses the machine's.
// Without unsafe-perm, npm 6 silently skips scripts when root runs it.
func (n testNpm) settings() []string {
	return []string{
		"npm_config_cache=" + n.cache, "npm_config_prefer_offline=true", "npm_config_ignore_scripts=false", "npm_config_unsafe_perm=true",
		"npm_config_audit=false", "npm_config_fund=false", "npm_config_update_notifier=false",
		"npm_config_fetch_retry_mintimeout=1000", "npm_config_fetch_retry_maxtimeout=10000",
	}
}

// lost matches npm's errors for a connection that the registry, or a proxy in front of it, has closed.
var lost = regexp.MustCompile(`ECONNRESET|EPIPE|socket hang up`)

// call runs npm in a directory. It retries up to twice if a connection is lost.
func (n testNpm) call(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	var output []byte
	var err error
	for range 3 {
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), n.settings()...)
		if output, err = cmd.CombinedOutput(); err == nil || !lost.Match(output) {
			break
		}
	}
	require.NoError(t, err, "%s %s (this test needs the npm registry):\n%s", name, strings.Join(args, " "), output)
}
