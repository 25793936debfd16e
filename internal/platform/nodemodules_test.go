// SPDX-License-Identifier: Apache-2.0

package platform_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// withModules returns an npm package with this package.json and these files, each with the content {} unless it has one
// after a space.
func withModules(manifest string, names ...string) fstest.MapFS {
	all := fstest.MapFS{"src/package.json": {Data: []byte(manifest)}, "src/package-lock.json": {Data: []byte(lock)}, "src/index.js": {}}
	for _, name := range names {
		name, text, _ := strings.Cut(name, " ")
		if text == "" {
			text = "{}"
		}
		all["src/"+name] = &fstest.MapFile{Data: []byte(text)}
	}
	return all
}

func TestHowMuchOfItsDependenciesAPackageContains(t *testing.T) {
	const one = `{"dependencies":{"shim":"^2"}}`
	tests := map[string]struct {
		files  fstest.MapFS
		want   string
		reason string // why there is no snapshot
	}{
		"no node_modules":            {withModules(one), "none", ""},
		"only a cache and a lock":    {withModules(one, "node_modules/.cache/x/a", "node_modules/.package-lock.json", "node_modules/.bin/x"), "none", ""},
		"only a scope":               {withModules(one, "node_modules/@org/README.md"), "none", ""},
		"only in a subdirectory":     {withModules(one, "lib/node_modules/shim/package.json"), "none", ""},
		"all":                        {withModules(one, "node_modules/shim/package.json"), "all", "the package contains node_modules"},
		"another one":                {withModules(one, "node_modules/other/package.json"), "some", "node_modules in the package lacks shim"},
		"without a package.json":     {withModules(one, "node_modules/shim/index.js"), "all", "the package contains node_modules"},
		"scoped":                     {withModules(`{"dependencies":{"@org/a":"1"}}`, "node_modules/@org/a/package.json"), "all", "the package contains node_modules"},
		"another one of the scope":   {withModules(`{"dependencies":{"@org/a":"1"}}`, "node_modules/@org/b/package.json"), "some", "node_modules in the package lacks @org/a"},
		"an alias":                   {withModules(`{"dependencies":{"a":"npm:b@1"}}`, "node_modules/a/package.json"), "all", "the package contains node_modules"},
		"a directory of the package": {withModules(`{"dependencies":{"a":"file:./a"}}`, "a/package.json", "node_modules/b/package.json"), "some", "node_modules in the package lacks a"},
		"a copy of a directory":      {withModules(`{"dependencies":{"a":"file:./a"}}`, "a/package.json", "node_modules/a/package.json"), "all", "the package contains node_modules"},
		"others are not needed": {
			withModules(`{"dependencies":{"a":"1","o":"1","d":"1"},"optionalDependencies":{"o":"1","p":"1"},"devDependencies":{"d":"1"},"peerDependencies":{"q":"1"}}`,
				"node_modules/a/package.json"), "all", "the package contains node_modules",
		},
		"all that they need": {
			withModules(one, `node_modules/shim/package.json {"dependencies":{"a":"1","b":"1"},"optionalDependencies":{"b":"1","c":"1"},"peerDependencies":{"p":"1"}}`,
				`node_modules/a/package.json {"dependencies":{"shim":"1"}}`), "all", "the package contains node_modules",
		},
		"not all that they need": {
			withModules(one, `node_modules/shim/package.json {"dependencies":{"a":"1"}}`, "node_modules/x/node_modules/a/package.json"),
			"most", "node_modules in the package lacks a, which shim needs",
		},
		"bundled with one": {
			withModules(one, `node_modules/shim/package.json {"dependencies":{"a":"1"},"bundleDependencies":["a"]}`, "node_modules/shim/node_modules/a/package.json"),
			"all", "the package contains node_modules",
		},
		"a workspace whose link is lost": {
			withModules(`{"workspaces":["packages/*"],"dependencies":{"shim":"1"}}`, `packages/w/package.json {"name":"@org/w"}`, "node_modules/shim/package.json"),
			"most", "node_modules in the package lacks @org/w",
		},
		"a workspace": {
			withModules(`{"workspaces":{"packages":["./packages/*/"]}}`, `packages/w/package.json {"name":"w","dependencies":{"shim":"1"}}`, "packages/w.md",
				"node_modules/w/package.json", "node_modules/shim/package.json"), "all", "the package contains node_modules",
		},
		"not all that a workspace needs": {
			withModules(`{"workspaces":["packages/**"]}`, `packages/w/package.json {"name":"w","dependencies":{"shim":"1"}}`, "node_modules/w/package.json"),
			"most", "node_modules in the package lacks shim, which w needs",
		},
		"invalid dependencies": {withModules(`{"dependencies":["a"]}`, "node_modules/a/package.json"), "all", `"dependencies" in package.json is invalid`},
		"a name with dots":     {withModules(`{"dependencies":{"../../a":"1"}}`, "a/x", "node_modules/b/x"), "some", "node_modules in the package lacks ../../a"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := plan(t, metadata.Package{Type: "node"}, test.files)
			assert.Equal(t, test.want, got.Command[4])
			assert.Equal(t, test.reason, got.NoSnapshotReason)
			if test.want == "none" && name != "no node_modules" && name != "only in a subdirectory" {
				assert.Equal(t, []string{"/src/node_modules"}, got.LeftOut)
			} else {
				assert.Empty(t, got.LeftOut)
			}
		})
	}
	atRoot := fstest.MapFS{"package.json": {Data: []byte(one)}, "package-lock.json": {Data: []byte(lock)}, "node_modules/.cache/a": {}}
	got := plan(t, metadata.Package{Type: "node"}, atRoot)
	assert.Equal(t, "none", got.Command[4])
	assert.Equal(t, []string{"/node_modules"}, got.LeftOut)
}

// runNodeBuild runs the build script on a package in the box.
func runNodeBuild(t *testing.T, b box, files fstest.MapFS) (int, string, []string) {
	t.Helper()
	for name, file := range files {
		b.file("/chaincode/input/"+name, string(file.Data), 0o644)
	}
	return b.run(plan(t, metadata.Package{Type: "node"}, files).Command)
}

const (
	npmVersion = "npm in /chaincode/output: --version"
	npmInstall = "npm in /chaincode/output: install --omit=dev"
	npmRebuild = "npm in /chaincode/output: rebuild --ignore-scripts"
)

// Dependencies in the package are not downloaded again, whatever the image's build.sh would do. What is in .bin is no link, so
// it is removed, and the commands are linked again.
func TestNodeBuildScriptKeepsDependencies(t *testing.T) {
	eachShell(t, testNodeBuildScriptKeepsDependencies)
}

func testNodeBuildScriptKeepsDependencies(t *testing.T) {
	const one = `{"dependencies":{"shim":"^2"}}`
	tests := map[string]struct {
		files   []string
		removed []string
		calls   []string
	}{
		"without commands": {[]string{"node_modules/shim/cli.js"}, nil, []string{npmRebuild}},
		"with copies": {
			[]string{"node_modules/shim/cli.js", "node_modules/mine.txt"},
			[]string{"node_modules/.bin/shim", "node_modules/.bin/shim.cmd", "node_modules/shim/node_modules/.bin/x", "node_modules/@a/b/node_modules/.bin/x",
				"node_modules/@a/b/node_modules/c/node_modules/.bin/x"},
			[]string{npmRebuild},
		},
		"a directory called .bin":    {[]string{"node_modules/shim/lib/.bin/x", "node_modules/shim/.bin/x"}, nil, []string{npmRebuild}},
		"some":                       {[]string{"node_modules/other/cli.js"}, []string{"node_modules/.bin/x"}, []string{npmVersion, npmRebuild, npmInstall}},
		"in a subdirectory":          {nil, []string{"lib/node_modules/x/x.js"}, []string{"build.sh in : "}},
		"nothing but a cache and so": {nil, []string{"node_modules/.cache/x"}, []string{"build.sh in : "}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			b.tool("/tools/npm", `[ "$1" != install ] || mkdir -p node_modules/shim`+"\n")
			b.file("/chaincode/build.sh", tool, 0o755)
			status, stderr, calls := runNodeBuild(t, b, withModules(one, append(test.files, test.removed...)...))
			assert.Zero(t, status, stderr)
			assert.Equal(t, test.calls, calls)
			for _, name := range test.files {
				assert.FileExists(t, b.path("/chaincode/output/"+name))
			}
			for _, name := range test.removed {
				assert.NoFileExists(t, b.path("/chaincode/output/"+name))
			}
		})
	}
}

// Somebody may have removed what a dependency names and does not use, and have no network: that is no reason to fail.
func TestDependenciesAreUsedIfWhatTheyLackCannotBeInstalled(t *testing.T) {
	eachShell(t, testDependenciesAreUsedIfWhatTheyLackCannotBeInstalled)
}

func testDependenciesAreUsedIfWhatTheyLackCannotBeInstalled(t *testing.T) {
	files := withModules(`{"dependencies":{"shim":"1"}}`, `node_modules/shim/package.json {"dependencies":{"a":"1"}}`, "node_modules/.bin/shim")
	b := newBox(t)
	b.tool("/tools/npm", `[ "$1" != install ] || { rm -rf node_modules; exit 7; }`+"\n")
	status, stderr, calls := runNodeBuild(t, b, files)
	assert.Zero(t, status, stderr)
	assert.Equal(t, []string{npmVersion, npmRebuild, npmInstall, npmRebuild}, calls)
	assert.Equal(t, "cannot install what the dependencies in the package lack: using them as they are\n", stderr)
	assert.FileExists(t, b.path("/chaincode/output/node_modules/shim/package.json"))
	assert.NoFileExists(t, b.path("/chaincode/output/node_modules/.bin/shim"))

	b = newBox(t)
	b.tool("/tools/npm", "[ \"$1\" != install ] || exit 7\n")
	status, _, _ = runNodeBuild(t, b, withModules(`{"dependencies":{"shim":"1"}}`, "node_modules/other/package.json"))
	assert.Equal(t, 7, status, "without one of its own, the package cannot start")
}

func TestADependencyThatIsMissingInTheEndFailsTheBuild(t *testing.T) {
	eachShell(t, testADependencyThatIsMissingInTheEndFailsTheBuild)
}

func testADependencyThatIsMissingInTheEndFailsTheBuild(t *testing.T) {
	const two = `{"dependencies":{"a":"1","@org/b":"1"},"optionalDependencies":{"o":"1"},"devDependencies":{"d":"1"},"peerDependencies":{"p":"1"}}`
	const leaves = "mkdir -p /chaincode/output/node_modules/"
	tests := map[string]struct {
		npm, build string // what they do
		env        string
		want       string
	}{
		"npm installs nothing":          {"", "", "", " @org/b a"},
		"npm installs one":              {leaves + "a\n", "", "", " @org/b"},
		"npm installs all":              {leaves + "a /chaincode/output/node_modules/@org/b\n", "", "", ""},
		"build.sh installs one":         {"", leaves + "@org/b\n", "", " a"},
		"build.sh leaves none":          {"", "echo bundled >/chaincode/output/index.js\n", "", ""},
		"the image has the other":       {leaves + "a\n", "", "NODE_PATH=/nowhere:ROOT/opt", ""},
		"the image does not have it":    {leaves + "a\n", "", "NODE_PATH=/nowhere", " @org/b"},
		"build.sh fails before it says": {"", "exit 4\n", "", "-"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			require.NoError(t, os.MkdirAll(b.path("/opt/@org/b"), 0o755))
			b.tool("/tools/npm", "[ \"$1\" != --version ] || exit 0\n"+test.npm)
			if test.build != "" {
				b.tool("/chaincode/build.sh", test.build)
			}
			files := withModules(two)
			command := plan(t, metadata.Package{Type: "node"}, files).Command
			if test.env != "" {
				command[2] = "export " + test.env + "\n" + command[2]
			}
			status, stderr, _ := b.run(command)
			switch test.want {
			case "-":
				assert.Equal(t, 4, status)
				assert.Empty(t, stderr)
			case "":
				assert.Zero(t, status, stderr)
			default:
				assert.Equal(t, 1, status)
				assert.Equal(t, "dependencies in package.json that are not installed:"+test.want+"\n", stderr)
			}
		})
	}
}

// The real npm, in all versions, links commands where the package had copies of them, and without a network.
func TestEveryNpmLinksTheCommandsOfContainedDependencies(t *testing.T) {
	const manifest = `{"name":"n","version":"1.0.0","dependencies":{"shim":"1.0.0"}}`
	files := withModules(manifest, `node_modules/shim/package.json {"name":"shim","version":"1.0.0","bin":{"shim":"cli.js"},"dependencies":{"deep":"1.0.0"}}`,
		"node_modules/shim/cli.js #!/usr/bin/env node", "node_modules/.bin/shim copy", "node_modules/.bin/shim.cmd @ECHO",
		`node_modules/shim/node_modules/deep/package.json {"name":"deep","version":"1.0.0","bin":"deep.js"}`,
		"node_modules/shim/node_modules/deep/deep.js #!/usr/bin/env node", "node_modules/shim/node_modules/.bin/deep copy")
	delete(files, "src/package-lock.json")
	for _, version := range []string{"6.14.18", "8.19.4", "10.9.9", "11.21.2"} {
		t.Run("npm "+version, func(t *testing.T) {
			oneShell(t, "dash", func(t *testing.T) {
				b := newBox(t)
				b.realNpm(t, version, "npm_config_offline=true")
				status, stderr, _ := runNodeBuild(t, b, files)
				require.Zero(t, status, stderr)
				for link, want := range map[string]string{".bin/shim": "../shim/cli.js", "shim/node_modules/.bin/deep": "../deep/deep.js"} {
					target, err := os.Readlink(b.path("/chaincode/output/node_modules/" + link))
					require.NoError(t, err)
					assert.Equal(t, want, target)
				}
				assert.NoFileExists(t, b.path("/chaincode/output/node_modules/.bin/shim.cmd"))
			})
		})
	}
}

// The real npm installs what is missing, keeps what is there, and links all commands.
func TestNpmInstallsTheRestOfTheDependencies(t *testing.T) {
	const manifest = `{"name":"n","version":"1.0.0","dependencies":{"mine":"1.0.0","is-number":"7.0.0"},"devDependencies":{"isarray":"2.0.5"}}`
	files := withModules(manifest, `node_modules/mine/package.json {"name":"mine","version":"1.0.0","bin":"cli.js"}`, "node_modules/mine/cli.js #!/usr/bin/env node",
		"node_modules/.bin/mine copy")
	delete(files, "src/package-lock.json")
	for _, version := range []string{"8.19.4", "10.9.9", "11.21.2"} { // npm 6 asks the registry for every package
		t.Run("npm "+version, func(t *testing.T) {
			oneShell(t, "dash", func(t *testing.T) {
				b := newBox(t)
				b.realNpm(t, version)
				status, stderr, _ := runNodeBuild(t, b, files)
				require.Zero(t, status, stderr)
				text, err := os.ReadFile(b.path("/chaincode/output/node_modules/is-number/package.json"))
				require.NoError(t, err)
				var installed struct{ Version string }
				require.NoError(t, json.Unmarshal(text, &installed))
				assert.Equal(t, "7.0.0", installed.Version)
				target, err := os.Readlink(b.path("/chaincode/output/node_modules/.bin/mine"))
				require.NoError(t, err)
				assert.Equal(t, "../mine/cli.js", target)
				assert.NoDirExists(t, b.path("/chaincode/output/node_modules/isarray"), "development dependencies are not installed")
			})
		})
	}
}

// realNpm puts a version of npm into the box.
func (b box) realNpm(t *testing.T, version string, more ...string) {
	npm := installNpm(t, version)
	script := "#!/bin/sh\n"
	for _, setting := range append(npm.settings(), more...) {
		name, value, _ := strings.Cut(setting, "=")
		script += "export " + name + "='" + value + "'\n"
	}
	for _, variable := range os.Environ() { // the registry of this machine, and the way there
		name, value, _ := strings.Cut(variable, "=")
		lower := strings.ToLower(name)
		if strings.HasPrefix(lower, "npm_config_") || strings.HasSuffix(lower, "_proxy") || name == "HOME" || name == "NODE_EXTRA_CA_CERTS" {
			script = strings.Replace(script, "\n", "\nexport "+name+"='"+value+"'\n", 1)
		}
	}
	b.file("/tools/npm", script+"exec node "+filepath.Join(npm.dir, "node_modules/npm/bin/npm-cli.js")+" \"$@\"\n", 0o755)
	require.DirExists(t, b.path(platform.OutputDir))
}
