package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
)

// home is a directory that holds a config.yaml.
func home(t *testing.T, yaml string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, config.File), []byte(yaml), 0o644))
	return dir
}

func TestDefaults(t *testing.T) {
	settings, err := config.Load(t.TempDir(), []string{"DOCKER_HOST=unix:///d.sock"})
	require.NoError(t, err)
	assert.Equal(t, map[string]any{
		"vm.endpoint":                      "unix:///d.sock",
		"vm.docker.hostConfig.NetworkMode": "",
		"vm.docker.hostConfig.Memory":      int64(2147483648),
		"chaincode.builder":                "hyperledger/fabric-ccenv:3.1",
		"chaincode.golang.runtime":         "hyperledger/fabric-baseos:3.1",
		"chaincode.node.runtime":           "hyperledger/fabric-nodeenv:2.5",
		"chaincode.startuptimeout":         5 * time.Minute,
		"builder.prefix":                   "fabric-chaincode",
		"builder.buildTimeout":             15 * time.Minute,
		"builder.pids":                     int64(4096),
	}, values(settings))
}

// values is every setting by its name. A new setting has to be added here, and to the test of the defaults.
func values(s config.Settings) map[string]any {
	return map[string]any{
		"vm.endpoint":                      s.VM.Endpoint,
		"vm.docker.hostConfig.NetworkMode": s.VM.Docker.HostConfig.NetworkMode,
		"vm.docker.hostConfig.Memory":      s.VM.Docker.HostConfig.Memory,
		"chaincode.builder":                s.Chaincode.Builder,
		"chaincode.golang.runtime":         s.Chaincode.Golang.Runtime,
		"chaincode.node.runtime":           s.Chaincode.Node.Runtime,
		"chaincode.startuptimeout":         s.Chaincode.StartupTimeout,
		"builder.prefix":                   s.Builder.Prefix,
		"builder.buildTimeout":             s.Builder.BuildTimeout,
		"builder.pids":                     s.Builder.Pids,
	}
}

func TestEveryKeyHasItsVariable(t *testing.T) {
	settings := config.Defaults()
	var names []string
	for _, key := range settings.Keys() {
		t.Run(key.Name, func(t *testing.T) {
			names = append(names, key.Name)
			assert.Equal(t, "CORE_"+strings.ToUpper(strings.ReplaceAll(key.Name, ".", "_")), key.Variable)

			before, known := values(config.Defaults())[key.Name]
			require.True(t, known, "values does not know the key")
			text, want := map[string]string{"string": "other", "int64": "67108864", "duration": "90s"}, any(nil)
			variable := key.Variable + "="
			switch before.(type) {
			case string:
				variable, want = variable+text["string"], text["string"]
			case int64:
				variable, want = variable+text["int64"], int64(67108864)
			case time.Duration:
				variable, want = variable+text["duration"], 90*time.Second
			}
			loaded, err := config.Load(t.TempDir(), []string{variable})
			require.NoError(t, err)
			assert.Equal(t, want, values(loaded)[key.Name])
		})
	}
	assert.IsIncreasing(t, names)
	assert.Len(t, names, len(values(settings)))
}

func TestLoadPrecedence(t *testing.T) {
	const file = `
vm:
  endpoint: unix:///file.sock
  docker:
    hostConfig:
      NetworkMode: fabric_test
      Memory: 1073741824
chaincode:
  startuptimeout: 60s
builder:
  pids: 100
`
	tests := map[string]struct {
		yaml    string
		environ []string
		want    map[string]any
	}{
		"the file": {file, nil, map[string]any{
			"vm.endpoint": "unix:///file.sock", "vm.docker.hostConfig.NetworkMode": "fabric_test",
			"vm.docker.hostConfig.Memory": int64(1 << 30), "chaincode.startuptimeout": time.Minute, "builder.pids": int64(100),
			"chaincode.builder": "hyperledger/fabric-ccenv:3.1",
		}},
		"variables win": {file, []string{
			"CORE_VM_ENDPOINT=tcp://engine:2375", "CORE_VM_DOCKER_HOSTCONFIG_NETWORKMODE=host", "CORE_VM_DOCKER_HOSTCONFIG_MEMORY=0",
			"CORE_CHAINCODE_STARTUPTIMEOUT=2m", "CORE_BUILDER_PIDS=7", "DOCKER_HOST=unix:///docker.sock",
		}, map[string]any{
			"vm.endpoint": "tcp://engine:2375", "vm.docker.hostConfig.NetworkMode": "host",
			"vm.docker.hostConfig.Memory": int64(0), "chaincode.startuptimeout": 2 * time.Minute, "builder.pids": int64(7),
		}},
		"an empty variable counts as not set": {file, []string{"CORE_VM_ENDPOINT=", "CORE_BUILDER_PIDS=", "CORE_VM_DOCKER_HOSTCONFIG_NETWORKMODE="}, map[string]any{
			"vm.endpoint": "unix:///file.sock", "vm.docker.hostConfig.NetworkMode": "fabric_test", "builder.pids": int64(100),
		}},
		"variables of the peer are its own business": {file, []string{
			"CORE_PEER_ID=peer0", "CORE_LEDGER_STATE_STATEDATABASE=CouchDB", "CORE_BUILDER=x", "CORE_VM=x", "PATH=/bin", "BUILDER_PIDS=1", "core_builder_pids=1", "CORE_BUILDER_PIDS",
		}, map[string]any{"builder.pids": int64(100)}},
		"keys are matched without regard to case": {"VM:\n  DOCKER:\n    hostconfig:\n      networkmode: x\nBuilder:\n  BUILDTIMEOUT: 20m\n", nil, map[string]any{
			"vm.docker.hostConfig.NetworkMode": "x", "builder.buildTimeout": 20 * time.Minute,
		}},
		"values in quotes": {"builder: {pids: \"12\", buildTimeout: \"3m\"}", nil, map[string]any{"builder.pids": int64(12), "builder.buildTimeout": 3 * time.Minute}},
		"a key without a value keeps its default": {"vm:\nbuilder:\n  pids:\n  prefix: ~\n", nil, map[string]any{
			"builder.pids": int64(4096), "builder.prefix": "fabric-chaincode",
		}},
		"an empty text is a value":           {"vm: {docker: {hostConfig: {NetworkMode: \"\"}}}", nil, map[string]any{"vm.docker.hostConfig.NetworkMode": ""}},
		"an empty file":                      {"", nil, map[string]any{"builder.pids": int64(4096)}},
		"a file of comments":                 {"# nothing is set\n---\n", nil, map[string]any{"builder.pids": int64(4096)}},
		"a value with = in it":               {"", []string{"CORE_CHAINCODE_BUILDER=a=b"}, map[string]any{"chaincode.builder": "a=b"}},
		"a prefix with a registry":           {"builder: {prefix: \"registry.example.com:5000/fabric/cc\"}", nil, map[string]any{"builder.prefix": "registry.example.com:5000/fabric/cc"}},
		"a number as large as the file says": {"vm: {docker: {hostConfig: {Memory: 4398046511104}}}", nil, map[string]any{"vm.docker.hostConfig.Memory": int64(1 << 42)}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			settings, err := config.Load(home(t, test.yaml), test.environ)
			require.NoError(t, err)
			all := values(settings)
			for key, want := range test.want {
				assert.Equal(t, want, all[key], key)
			}
		})
	}
}

func TestLoadRefusesInOneLineWithFileKeyAndWhatIsAllowed(t *testing.T) {
	tests := map[string]struct{ yaml, want string }{
		"not YAML":                     {"vm: [", "not YAML: line 1: did not find expected node content"},
		"a tab":                        {"vm:\n\tendpoint: x\n", "not YAML: line 2: found character that cannot start any token"},
		"a list":                       {"- vm\n- builder\n", `a section with keys is expected, not ["vm","builder"]`},
		"a text":                       {"nothing\nat all\n", `a section with keys is expected, not "nothing at all"`},
		"unknown section":              {"peer2: {}", "peer2: unknown key: allowed here are vm, chaincode, builder"},
		"unknown key":                  {"builder:\n  pid: 1\n", "builder.pid: unknown key: allowed here are prefix, buildTimeout, pids"},
		"unknown key, deep":            {"vm: {docker: {hostconfig: {Privileged: true}}}", "vm.docker.hostConfig.Privileged: unknown key: allowed here are NetworkMode, Memory"},
		"a key of its section":         {"pids: 1", "pids: unknown key: allowed here are vm, chaincode, builder"},
		"a value for a section":        {"vm: unix:///x", `vm: a section with keys is expected, not "unix:///x"`},
		"two lines for a section":      {"vm: |\n  unix:///x\n  unix:///y\n", `vm: a section with keys is expected, not "unix:///x\nunix:///y\n"`},
		"a section for a value":        {"builder: {pids: {max: 1}}", `builder.pids: {"max":1} is not possible: a whole number is expected`},
		"a list for a value":           {"chaincode: {builder: [a]}", `chaincode.builder: ["a"] is not possible: a text is expected`},
		"a number for a text":          {"chaincode: {builder: 2147483648}", "chaincode.builder: 2147483648 is not possible: a text is expected"},
		"a switch for a text":          {"vm: {endpoint: yes}", "vm.endpoint: true is not possible: a text is expected"},
		"a text for a number":          {"builder: {pids: many}", `builder.pids: "many" is not possible: a whole number is expected`},
		"a unit at a number":           {"vm: {docker: {hostConfig: {Memory: 2g}}}", `vm.docker.hostConfig.Memory: "2g" is not possible: a whole number is expected`},
		"half a number":                {"builder: {pids: 1.5}", "builder.pids: 1.5 is not possible: a whole number is expected"},
		"a huge number":                {"builder: {pids: 1e30}", "builder.pids: 1e+30 is not possible: a whole number is expected"},
		"a number for a duration":      {"builder: {buildTimeout: 900}", "builder.buildTimeout: 900 is not possible: a duration such as 300s or 15m is expected"},
		"a text for a duration":        {"builder: {buildTimeout: soon}", `builder.buildTimeout: "soon" is not possible: a duration such as 300s or 15m is expected`},
		"too little memory":            {"vm: {docker: {hostConfig: {Memory: 1048576}}}", "vm.docker.hostConfig.Memory: 1048576 is not possible: bytes, at least 6291456, or 0 for no limit"},
		"negative memory":              {"vm: {docker: {hostConfig: {Memory: -1}}}", "vm.docker.hostConfig.Memory: -1 is not possible: bytes, at least 6291456, or 0 for no limit"},
		"no time to build":             {"builder: {buildTimeout: 10ms}", "builder.buildTimeout: 10ms is not possible: at least 1s"},
		"no time to start":             {"chaincode: {startuptimeout: 0s}", "chaincode.startuptimeout: 0s is not possible: at least 1s"},
		"no processes":                 {"builder: {pids: 0}", "builder.pids: 0 is not possible: at least 1"},
		"prefix in upper case":         {"builder: {prefix: Fabric}", `builder.prefix: "Fabric" is no image name: lower-case letters, digits, and . _ - / in between`},
		"prefix of a separator":        {"builder: {prefix: \"a/\"}", `builder.prefix: "a/" is no image name: lower-case letters, digits, and . _ - / in between`},
		"prefix of two lines":          {"builder: {prefix: \"a\\nb\"}", `builder.prefix: "a\nb" is no image name: lower-case letters, digits, and . _ - / in between`},
		"empty prefix":                 {"builder: {prefix: \"\"}", `builder.prefix: "" is no image name: lower-case letters, digits, and . _ - / in between`},
		"a key twice":                  {"builder:\n  pids: 1\n  pids: 2\n", `not YAML: unmarshal errors: line 3: key "pids" already set in map`},
		"a key twice, in another case": {"builder:\n  PIDS: 1\n  pids: 2\n", "builder.pids: set twice, as PIDS and as pids"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := home(t, test.yaml)
			_, err := config.Load(dir, nil)
			require.Error(t, err)
			assert.Equal(t, filepath.Join(dir, "config.yaml")+": "+test.want, err.Error())
			assert.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestLoadRefusesAVariable(t *testing.T) {
	tests := map[string]struct{ variable, want string }{
		"a text for a number":     {"CORE_BUILDER_PIDS=many", `variable CORE_BUILDER_PIDS: "many" is not possible: a whole number is expected`},
		"half a number":           {"CORE_BUILDER_PIDS=1.5", `variable CORE_BUILDER_PIDS: "1.5" is not possible: a whole number is expected`},
		"a huge number":           {"CORE_BUILDER_PIDS=99999999999999999999", `variable CORE_BUILDER_PIDS: "99999999999999999999" is not possible: a whole number is expected`},
		"a number for a duration": {"CORE_BUILDER_BUILDTIMEOUT=900", `variable CORE_BUILDER_BUILDTIMEOUT: "900" is not possible: a duration such as 300s or 15m is expected`},
		"impossible":              {"CORE_BUILDER_PIDS=0", "variable CORE_BUILDER_PIDS: builder.pids: 0 is not possible: at least 1"},
		"impossible prefix":       {"CORE_BUILDER_PREFIX=A", `variable CORE_BUILDER_PREFIX: builder.prefix: "A" is no image name: lower-case letters, digits, and . _ - / in between`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := config.Load(t.TempDir(), []string{"CORE_CHAINCODE_STARTUPTIMEOUT=10s", test.variable})
			assert.EqualError(t, err, test.want)
		})
	}
}

func TestLoadOfAFileThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, config.File), 0o755))
	_, err := config.Load(dir, nil)
	assert.EqualError(t, err, filepath.Join(dir, config.File)+": is a directory")
}
