// SPDX-License-Identifier: Apache-2.0

package platform_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/metadata"
)

// lock is a lock file for one dependency that has a dependency with an install script.
const lock = `{"name":"kv","lockfileVersion":3,"packages":{
"":{"name":"kv","dependencies":{"fabric-shim":"2.5.8"}},
"node_modules/fabric-shim":{"version":"2.5.8","resolved":"https://registry.example.com/fabric-shim-2.5.8.tgz","dependencies":{"protobufjs":"^7"}},
"node_modules/protobufjs":{"version":"7.5.0","resolved":"https://registry.example.com/protobufjs-7.5.0.tgz","hasInstallScript":true}}}`

const manifest = `{"name":"kv","version":"1.0.0","scripts":{"start":"fabric-chaincode-node start","test":"mocha","pack":"x"},
"dependencies":{"fabric-shim":"2.5.8","other":"git+ssh://git@example.com/x.git#v1","third":"https://example.com/third.tgz","alias":"npm:fourth@^1"}}`

// files returns an npm package with the given paths and contents in src/. A file with empty content is removed.
func files(pairs ...string) fstest.MapFS {
	all := fstest.MapFS{"src/package.json": {Data: []byte(manifest)}, "src/package-lock.json": {Data: []byte(lock)}, "src/index.js": {Data: []byte("x")}}
	for i := 0; i < len(pairs); i += 2 {
		all["src/"+pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
		if pairs[i+1] == "" {
			delete(all, "src/"+pairs[i])
		}
	}
	return all
}

func TestFilesOfASnapshot(t *testing.T) {
	tests := map[string]struct {
		files fstest.MapFS
		want  []string
	}{
		"a lock file":       {files(), []string{"src/package.json", "src/package-lock.json"}},
		"a shrinkwrap file": {files("package-lock.json", "", "npm-shrinkwrap.json", lock), []string{"src/package.json", "src/npm-shrinkwrap.json"}},
		"both": {
			files("npm-shrinkwrap.json", lock), []string{"src/package.json", "src/npm-shrinkwrap.json", "src/package-lock.json"},
		},
		"another registry": {
			files(".npmrc", "# ours\nregistry = https://npm.example.com/\n@org:registry=https://npm.example.com\n//npm.example.com/:_authToken=${TOKEN}\nomit[]=dev\n"),
			[]string{"src/.npmrc", "src/package.json", "src/package-lock.json"},
		},
		"at the package's root": {
			fstest.MapFS{"package.json": {Data: []byte(manifest)}, "package-lock.json": {Data: []byte(lock)}},
			[]string{"package.json", "package-lock.json"},
		},
		"an old lock file": {
			files("package-lock.json", `{"lockfileVersion":1,"dependencies":{"a":{"version":"1.0.0","resolved":"https://x/a.tgz","requires":{"b":"^1"},"dependencies":{"b":{"version":"1.1.0"}}}}}`),
			[]string{"src/package.json", "src/package-lock.json"},
		},
		"a lock file of yarn beside npm's": {
			files("yarn.lock", "# yarn lockfile v1\n\na@^1:\n  version \"1.0.0\"\n  resolved \"https://x/a.tgz#1\"\n\nb@x/b:\n  resolved git+ssh://x/b\n"),
			[]string{"src/package.json", "src/package-lock.json", "src/yarn.lock"},
		},
		"repositories": {
			files("package.json", `{"dependencies":{"a":"owner/name","b":"owner/name#some/branch","c":"git@example.com:owner/some/name.git","d":"GitHub:owner/name","e":"npm:@org/e@^1"}}`),
			[]string{"src/package.json", "src/package-lock.json"},
		},
		"fields that do not affect what is installed": {
			files("package.json", `{"bundleDependencies":["fabric-shim"],"overrides":{"fabric-shim":{".":"$fabric-shim","x":"^1"},"y":"npm:@org/y@1"},
				"devEngines":{"runtime":{"name":"node"}},"packageManager":"yarn@4.0.0","script":{"prepare":"x"},"scripts":{"Prepare":"x","prestart":"x","uninstall":"x"},
				"patchedDependencies":{"a":"patches/a"},"resolutions":{"a":"file:a"},"directories":{"bin":"bin"}}`),
			[]string{"src/package.json", "src/package-lock.json"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := plan(t, metadata.Package{Type: "node"}, test.files)
			require.NotNil(t, got.Snapshot, got.NoSnapshotReason)
			assert.Empty(t, got.NoSnapshotReason)
			assert.Equal(t, test.want, got.Snapshot.Files)
			assert.Equal(t, "/chaincode/build.sh", got.Snapshot.Script)
		})
	}
}

// If npm may install something from the code itself, there is no snapshot.
func TestPackagesWhoseDependenciesNeedTheCode(t *testing.T) {
	huge := strings.Repeat("\n", metadata.MaxFile+1)
	in := func(field, value string) fstest.MapFS {
		return files("package.json", `{"name":"kv","`+field+`":`+value+`}`)
	}
	locked := func(entry string) fstest.MapFS {
		return files("package-lock.json", `{"packages":{"":{},`+entry+`}}`)
	}
	tests := map[string]struct {
		files fstest.MapFS
		why   string
	}{
		"no lock file":                   {files("package-lock.json", ""), "there is no lock file"},
		"a lock file of another manager": {files("package-lock.json", "", "yarn.lock", "x"), "there is no lock file"},
		"packaged dependencies":          {files("node_modules/a/index.js", "x"), "node_modules"},
		"node_modules is a file":         {files("node_modules", "x"), "node_modules"},
		"hooks":                          {files(".hooks/postinstall", "x"), ".hooks"},
		"a native addon":                 {files("binding.gyp", "{}"), "binding.gyp"},
		"workspaces":                     {in("workspaces", `["a"]`), "workspaces"},
		"a setting that names a file":    {files(".npmrc", "registry=https://x\ncafile=ca.pem\n"), ".npmrc"},
		"a section":                      {files(".npmrc", "[x]\nregistry=https://x\n"), ".npmrc"},
		"a certificate of a registry":    {files(".npmrc", "//npm.example.com/:certfile=x\n"), ".npmrc"},
		"options of node":                {files(".npmrc", "node-options=--require ./x.js\n"), ".npmrc"},
		"a setting after \\r":            {files(".npmrc", "# ours\rcafile=ca.pem\r"), ".npmrc"},
		"an override":                    {in("overrides", `{"a":"file:a"}`), "a file in the package"},
		"a nested override":              {in("overrides", `{"a":{"b@^1":{".":"1.0.0","c":"./c"}}}`), "a file in the package"},
		"yarn's archive":                 {files("yarn.lock", "a@1:\n  resolved \"file:a.tgz#1\"\n"), "yarn.lock"},
		"yarn's directory":               {files("yarn.lock", "a@1:\r\n  \"resolved\" ./a\r\n"), "yarn.lock"},
		"yarn's mirror":                  {files("yarn.lock", "a@1:\n  resolved a-1.0.0.tgz#1\n"), "yarn.lock"},
		"a scheme in capitals":           {in("dependencies", `{"a":"FILE:a"}`), "a file in the package"},
		"an archive in capitals":         {in("dependencies", `{"a":"a.TGZ"}`), "a file in the package"},
		"a path without a dot":           {in("dependencies", `{"a":"libs/x/a"}`), "a file in the package"},
		"a path with a trailing slash":   {in("dependencies", `{"a":"libs/a/"}`), "a file in the package"},
		"a Windows path":                 {in("dependencies", `{"a":"c:a"}`), "a file in the package"},
		"a directory":                    {in("dependencies", `{"a":"file:a"}`), "a file in the package"},
		"a path":                         {in("dependencies", `{"a":"./a"}`), "a file in the package"},
		"an archive":                     {in("optionalDependencies", `{"a":"a.tgz"}`), "a file in the package"},
		"a link":                         {in("devDependencies", `{"a":"link:a"}`), "a file in the package"},
		"another workspace":              {in("peerDependencies", `{"a":"workspace:*"}`), "a file in the package"},
		"a locked link":                  {locked(`"node_modules/a":{"resolved":"a","link":true}`), "node_modules/a refers to a file in the package"},
		"a locked directory":             {locked(`"libs/a":{"version":"1.0.0"}`), "libs/a refers to a file in the package"},
		"a locked archive":               {locked(`"node_modules/a":{"version":"1.0.0","resolved":"file:a.tgz"}`), "node_modules/a refers to a file in the package"},
		"an old locked file": {
			files("package-lock.json", `{"dependencies":{"a":{"version":"1.0.0","dependencies":{"b":{"version":"file:b"}}}}}`), "b refers to a file in the package",
		},
		"a huge lock file":     {files("package-lock.json", huge), "cannot read package-lock.json: the file is larger than 16 MiB"},
		"huge settings":        {files(".npmrc", huge), ".npmrc"},
		"a huge lock of yarn":  {files("yarn.lock", huge), "yarn.lock"},
		"an invalid lock file": {files("package-lock.json", "x"), "package-lock.json is not a valid npm lock file"},
		"invalid scripts":      {in("scripts", `"x"`), `"scripts" in package.json`},
		"invalid dependencies": {in("dependencies", `[1]`), `"dependencies" in package.json`},
	}
	for _, script := range []string{
		"preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare",
		"predependencies", "dependencies", "postdependencies", "preshrinkwrap", "shrinkwrap", "postshrinkwrap",
	} {
		tests["a script "+script] = struct {
			files fstest.MapFS
			why   string
		}{in("scripts", `{"`+script+`":"x"}`), `"` + script + `"`}
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := plan(t, metadata.Package{Type: "node"}, test.files)
			assert.Nil(t, got.Snapshot)
			assert.Contains(t, got.NoSnapshotReason, test.why)
		})
	}
}

// npm runs this script after an install. Without the code it would do nothing and report no error, and the dependency
// would not be patched.
func TestNoSnapshotForAPatchedDependency(t *testing.T) {
	got := plan(t, metadata.Package{Type: "node"}, files("package.json", `{
  "name": "n1", "version": "1.0.0", "main": "index.js",
  "scripts": {
    "dependencies": "[ ! -f tools/patch.js ] || node tools/patch.js",
    "start": "node index.js"
  },
  "dependencies": { "is-number": "7.0.0" }
}`, "package-lock.json", `{
  "name": "n1", "version": "1.0.0", "lockfileVersion": 3, "requires": true,
  "packages": {
    "": { "name": "n1", "version": "1.0.0", "dependencies": { "is-number": "7.0.0" } },
    "node_modules/is-number": {
      "version": "7.0.0",
      "integrity": "sha512-41Cifkg6e8TylSpdtTpeLVMqvSBEVzTttHvERD741+pnZ8ANv0004MRL43QKPDlK9cGvNp6NZWZUBlbGXYxxng=="
    }
  }
}`, "tools/patch.js", "x", "patches/is-number.js", "x"))
	assert.Nil(t, got.Snapshot)
	assert.Equal(t, `package.json has a script "dependencies", which may use the code`, got.NoSnapshotReason)
}

func TestSettingsOfSnapshots(t *testing.T) {
	settings := config.Defaults()
	settings.Builder.Node.KnownScripts = []string{strings.Repeat("a", 64)}
	got, err := planFor(metadata.Package{Type: "node"}, files(), settings, nil)
	require.NoError(t, err)
	require.NotNil(t, got.Snapshot)
	assert.Contains(t, got.Snapshot.Known, strings.Repeat("a", 64))
	assert.Len(t, got.Snapshot.Known, 3, "in addition to the official ones")
	settings.Builder.Node.Snapshots = false
	got, err = planFor(metadata.Package{Type: "node"}, files(), settings, nil)
	require.NoError(t, err)
	assert.Nil(t, got.Snapshot)
	assert.Equal(t, "builder.node.snapshots is false", got.NoSnapshotReason)
}
