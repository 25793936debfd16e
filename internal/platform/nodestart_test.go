// SPDX-License-Identifier: Apache-2.0

package platform_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

func TestWhichNodePackagesStartWithoutNPM(t *testing.T) {
	with := func(scripts string) string { return `{"name":"kv","version":"1.2.3","scripts":` + scripts + `}` }
	usual := &metadata.NPMStart{Name: "kv", Version: "1.2.3"}
	tests := map[string]struct {
		manifest, npmrc string
		want            *metadata.NPMStart
	}{
		"the shim's own command": {with(`{"start":"fabric-chaincode-node start","test":"x"}`), "", usual},
		"a registry":             {with(`{"start":"fabric-chaincode-node start"}`), "registry=https://x", usual},
		"no name, no version":    {`{"scripts":{"start":"fabric-chaincode-node start"}}`, "", &metadata.NPMStart{}},
		"another program":        {with(`{"start":"node index.js"}`), "", nil},
		"none":                   {with(`{}`), "", nil},
		"a script before it":     {with(`{"start":"fabric-chaincode-node start","prestart":"x"}`), "", nil},
		"a script after it":      {with(`{"start":"fabric-chaincode-node start","poststart":"x"}`), "", nil},
		"settings for node":      {with(`{"start":"fabric-chaincode-node start"}`), "node-options=--inspect", nil},
		"another shell":          {with(`{"start":"fabric-chaincode-node start"}`), "script-shell=/bin/bash", nil},
		"values for the script":  {`{"name":"kv","config":{"prefix":"x"},"scripts":{"start":"fabric-chaincode-node start"}}`, "", nil},
		"invalid":                {`{"name":1,"scripts":{"start":"fabric-chaincode-node start"}}`, "", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := plan(t, metadata.Package{Type: "node"}, files("package.json", test.manifest, ".npmrc", test.npmrc))
			assert.Equal(t, test.want, got.NPMStart)
		})
	}
	for script, plain := range startScripts {
		text, err := json.Marshal(script)
		require.NoError(t, err)
		var want *metadata.NPMStart
		if plain != "" {
			want = &metadata.NPMStart{Name: "kv", Version: "1.2.3", Script: script}
		}
		got := plan(t, metadata.Package{Type: "node"}, files("package.json", with(`{"start":`+string(text)+`}`)))
		assert.Equal(t, want, got.NPMStart, script)
	}
}

// startScripts holds start scripts that run the shim's command, and the variables and options that they give it if the shell is
// all that npm adds.
var startScripts = map[string]string{
	"set -x && fabric-chaincode-node start":                                       "A= B= :",
	"set -ex; fabric-chaincode-node  start --x=1 --chaincode-id-name a:b@1":       "A= B= : --x=1 --chaincode-id-name a:b@1",
	"fabric-chaincode-node start --module.path ./dist":                            "A= B= : --module.path ./dist",
	"A=1 B=x,y fabric-chaincode-node start":                                       "A=1 B=x,y :",
	"set -e && set -u && A=--a=1 exec fabric-chaincode-node start":                "A=--a=1 B= :",
	"exec fabric-chaincode-node start":                                            "A= B= :",
	"set -x && fabric-chaincode-node start # typescript":                          "",
	"set -x && fabric-chaincode-node start | tee log":                             "",
	"set -x || fabric-chaincode-node start":                                       "",
	"set -f && fabric-chaincode-node start":                                       "",
	"fabric-chaincode-node start --name $npm_package_name":                        "",
	"fabric-chaincode-node start --name '$x'":                                     "",
	"fabric-chaincode-node start --files *.js":                                    "",
	"fabric-chaincode-node start --home ~":                                        "",
	"fabric-chaincode-node start --one\n--two":                                    "",
	"fabric-chaincode-node start &":                                               "",
	"fabric-chaincode-node start;":                                                "",
	"fabric-chaincode-node start\\":                                               "",
	"fabric-chaincode-node server":                                                "",
	"npm run build && fabric-chaincode-node start":                                "",
	"A=`id` fabric-chaincode-node start":                                          "",
	"PATH=/opt fabric-chaincode-node start":                                       "",
	"cross-env A=1 fabric-chaincode-node start":                                   "",
	"node_modules/.bin/fabric-chaincode-node start":                               "",
	"set -x && NODE_OPTIONS='--inspect=0.0.0.0:9229' fabric-chaincode-node start": "",
}

// Such a script runs as npm runs it: the shim's command gets the same variables and options, and SIGTERM itself.
func TestAPlainStartScriptRunsWithoutNPM(t *testing.T) {
	eachShell(t, testAPlainStartScriptRunsWithoutNPM)
}

func testAPlainStartScriptRunsWithoutNPM(t *testing.T) {
	for script, want := range startScripts {
		if want == "" {
			continue
		}
		b := newBox(t)
		b.tool("/tools/npm", "exit 6\n")
		b.file("/usr/local/src/node_modules/.bin/fabric-chaincode-node",
			"#!/bin/sh\n"+`echo "A=$A B=$B : $* $npm_lifecycle_script" >ROOT/called; echo $PPID >ROOT/parent; exit 5`+"\n", 0o755)
		record := metadata.Record{Type: "node", NPMStart: &metadata.NPMStart{Name: "kv", Version: "1", Script: script}}
		command, err := platform.StartCommand(record, config.Defaults(), `peer:7052 "$(id)"`)
		require.NoError(t, err)
		status, stderr, calls := b.run(command)
		assert.Equal(t, 5, status, "%s: %s", script, stderr)
		assert.Empty(t, calls, "npm is not called")
		called, err := os.ReadFile(b.path("/called"))
		require.NoError(t, err, stderr)
		variables, options, _ := strings.Cut(want, ":")
		assert.Equal(t, variables+": start"+options+` --peer.address peer:7052 "$(id)" `+script+"\n", string(called), script)
		parent, err := os.ReadFile(b.path("/parent"))
		require.NoError(t, err)
		assert.Equal(t, strconv.Itoa(os.Getpid())+"\n", string(parent), "%s: no shell is left above the command", script)
		if strings.Contains(script, "x") && strings.HasPrefix(script, "set -x") {
			assert.Regexp(t, `^\+ exec fabric-chaincode-node start --peer.address `, stderr, "nothing else is traced")
		}
	}
}

// The script runs the shim's command as npm would, unless the image's start script may do more.
func TestNodeStartScriptWithoutNPM(t *testing.T) { eachShell(t, testNodeStartScriptWithoutNPM) }

func testNodeStartScriptWithoutNPM(t *testing.T) {
	const address = `peer0.example.com:7052 "$(id)"`
	const (
		direct = "fabric-chaincode-node in /usr/local/src: start --peer.address " + address
		script = "start.sh in : --peer.address " + address
		npm    = "npm in /usr/local/src: start -- --peer.address " + address
	)
	tests := map[string]struct {
		image os.FileMode // mode of start.sh; 0 for none
		known bool        // start.sh is in builder.node.knownScripts
		shim  bool        // the shim's command is installed
		want  string
	}{
		"no start.sh":                        {0, false, true, direct},
		"a start.sh that is known":           {0o755, true, true, direct},
		"a start.sh that is not known":       {0o755, false, true, script},
		"a start.sh that cannot be executed": {0o644, false, true, direct},
		"no such command":                    {0, false, false, npm},
		"no such command, but a start.sh":    {0o755, true, false, script},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			b.tool("/tools/npm", "exit 5\n")
			if test.shim {
				b.tool("/usr/local/src/node_modules/.bin/fabric-chaincode-node",
					`env | grep -E "^(npm_|INIT_CWD)" | sort >ROOT/variables; echo "$PATH" >ROOT/path; exit 5`+"\n")
			}
			settings := config.Defaults()
			if test.image != 0 {
				b.file("/chaincode/start.sh", tool+"exit 5\n", test.image)
				if content, err := os.ReadFile(b.path("/chaincode/start.sh")); assert.NoError(t, err) && test.known {
					sum := sha256.Sum256(content)
					settings.Builder.Node.KnownScripts = []string{hex.EncodeToString(sum[:])}
				}
			}
			record := metadata.Record{Type: "node", NPMStart: &metadata.NPMStart{Name: "@org/kv", Version: "1.2.3"}}
			command, err := platform.StartCommand(record, settings, address)
			require.NoError(t, err)
			status, stderr, calls := b.run(command)
			assert.Equal(t, 5, status, stderr)
			assert.Equal(t, []string{test.want}, calls)
			if test.want != direct {
				return
			}
			variables, err := os.ReadFile(b.path("/variables"))
			require.NoError(t, err)
			src := b.path("/usr/local/src")
			assert.Equal(t, "INIT_CWD="+src+"\nnpm_lifecycle_event=start\nnpm_lifecycle_script=fabric-chaincode-node start\n"+
				"npm_package_json="+src+"/package.json\nnpm_package_name=@org/kv\nnpm_package_version=1.2.3\n", string(variables))
			path, err := os.ReadFile(b.path("/path"))
			require.NoError(t, err)
			assert.Contains(t, string(path), src+"/node_modules/.bin:")
		})
	}
}

// npm turns some of its settings into variables for what it starts, or starts it with another shell.
func TestNodeStartScriptWithSettingsOfNPM(t *testing.T) {
	eachShell(t, testNodeStartScriptWithSettingsOfNPM)
}

func testNodeStartScriptWithSettingsOfNPM(t *testing.T) {
	const options = "node-options=--use-openssl-ca\n"
	for name, test := range map[string]struct {
		files  map[string]string
		env    string
		direct bool
	}{
		"nothing that matters": {map[string]string{"/home/.npmrc": "registry=https://npm.example.com\n# " + options, "/etc/npmrc": "cache=/tmp\n"}, "", true},
		"the user's":           {map[string]string{"/home/.npmrc": options}, "", false},
		"all users'":           {map[string]string{"/etc/npmrc": "  " + options}, "", false},
		"a shell":              {map[string]string{"/etc/npmrc": "script-shell = bash\n"}, "", false},
		"a variable":           {nil, "npm_config_node_options=--use-openssl-ca", false},
		"a variable, upper":    {nil, "NPM_CONFIG_NODE_OPTIONS=--use-openssl-ca", false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			b.tool("/tools/npm", "")
			b.tool("/tools/node", "")
			b.tool("/usr/local/src/node_modules/.bin/fabric-chaincode-node", "")
			for path, text := range test.files {
				b.file(path, text, 0o644)
			}
			record := metadata.Record{Type: "node", NPMStart: &metadata.NPMStart{Name: "kv", Version: "1.2.3"}}
			command, err := platform.StartCommand(record, config.Defaults(), "peer:7052")
			require.NoError(t, err)
			command[2] = "export HOME=" + b.path("/home") + " " + test.env + "\n" + command[2]
			status, stderr, calls := b.run(command)
			require.Zero(t, status, stderr)
			want := "npm in /usr/local/src: start -- --peer.address peer:7052"
			if test.direct {
				want = "fabric-chaincode-node in /usr/local/src: start --peer.address peer:7052"
			}
			assert.Equal(t, []string{want}, calls)
		})
	}
}
