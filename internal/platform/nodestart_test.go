package platform_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
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
		"arguments":              {with(`{"start":"fabric-chaincode-node start --x"}`), "", nil},
		"a shell":                {with(`{"start":"set -x && fabric-chaincode-node start"}`), "", nil},
		"another program":        {with(`{"start":"node index.js"}`), "", nil},
		"none":                   {with(`{}`), "", nil},
		"a script before it":     {with(`{"start":"fabric-chaincode-node start","prestart":"x"}`), "", nil},
		"a script after it":      {with(`{"start":"fabric-chaincode-node start","poststart":"x"}`), "", nil},
		"settings for node":      {with(`{"start":"fabric-chaincode-node start"}`), "node-options=--inspect", nil},
		"another shell":          {with(`{"start":"fabric-chaincode-node start"}`), "script-shell=/bin/bash", nil},
		"invalid":                {`{"name":1,"scripts":{"start":"fabric-chaincode-node start"}}`, "", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := plan(t, metadata.Package{Type: "node"}, files("package.json", test.manifest, ".npmrc", test.npmrc))
			assert.Equal(t, test.want, got.NPMStart)
		})
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
