// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
)

// home returns a new directory that holds this config.yaml.
func home(t *testing.T, yaml string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, config.File), []byte(yaml), 0o644))
	return dir
}

// values returns every setting by its name, except the keys of overrides.
func values(s config.Settings) map[string]any {
	all := map[string]any{}
	for _, key := range s.Keys() {
		if !strings.Contains(key.Name, "[]") {
			all[key.Name] = key.Value()
		}
	}
	return all
}

// documented returns a default as docs/configuration.md shows it, or an empty string where it has words instead.
func documented(value any) string {
	switch value := value.(type) {
	case string:
		if value != "" {
			return "`" + value + "`"
		}
	case bool, int64, float64:
		return fmt.Sprintf("`%v`", value)
	case time.Duration:
		text := strings.TrimSuffix(value.String(), "m0s")
		if text != value.String() {
			text += "m"
		}
		if value == 5*time.Minute {
			text = "300s" // as in core.yaml
		}
		return "`" + text + "`"
	case []string:
		if len(value) > 0 {
			return "`" + strings.Join(value, "`, `") + "`"
		}
	}
	return ""
}

// A changed default affects every operator who relies on it.
func TestDefaults(t *testing.T) {
	settings, err := config.Load(t.TempDir(), []string{"DOCKER_HOST=unix:///d.sock"})
	require.NoError(t, err)
	set := map[string]any{}
	for key, value := range values(settings) {
		if text := fmt.Sprint(value); value != nil && text != "" && text != "[]" && text != "map[]" && text != "0" && text != "false" {
			set[key] = value
		}
	}
	assert.Equal(t, map[string]any{
		"vm.endpoint":                         "unix:///d.sock",
		"vm.docker.attachStdout":              true,
		"vm.docker.hostConfig.Memory":         int64(2147483648),
		"vm.docker.hostConfig.LogConfig.Type": "json-file",
		"vm.docker.hostConfig.LogConfig.Config": map[string]string{
			"max-size": "50m", "max-file": "5",
		},
		"chaincode.builder":        "hyperledger/fabric-ccenv:3.1",
		"chaincode.golang.runtime": "hyperledger/fabric-baseos:3.1",
		"chaincode.java.runtime":   "hyperledger/fabric-javaenv:2.5",
		"chaincode.node.runtime":   "hyperledger/fabric-nodeenv:2.5",
		"chaincode.logging.level":  "info",
		"chaincode.logging.shim":   "warn",
		"chaincode.logging.format": "%{color}%{time:2006-01-02 15:04:05.000 MST} [%{module}] %{shortfunc} -> %{level:.4s} %{id:03x}%{color:reset} %{message}",
		"chaincode.startuptimeout": 5 * time.Minute,

		"builder.types":                      []string{"golang", "node", "java", "docker", "k8s", "ccaas", "external"},
		"builder.prefix":                     "fabric-chaincode",
		"builder.fabricVersion":              "3.1",
		"builder.dockerNamespace":            "hyperledger",
		"builder.buildTimeout":               15 * time.Minute,
		"builder.build.pids":                 int64(4096),
		"builder.build.outputSize":           int64(4 << 30),
		"builder.build.outputFiles":          int64(1000000),
		"builder.build.output":               "summary",
		"builder.cache.scope":                "engine",
		"builder.saveSource":                 true,
		"builder.pullPolicy":                 "missing",
		"builder.registry.timeout":           10 * time.Minute,
		"builder.registry.inactivityTimeout": time.Minute,
		"builder.node.snapshots":             true,
		"builder.snapshots":                  true,
		"builder.pids":                       int64(4096),
		"builder.security.dropCapabilities":  true,
		"builder.security.noNewPrivileges":   true,
		"builder.security.init":              true,
		"builder.stopGrace":                  2 * time.Second,
		"builder.log.level":                  "info",
		"builder.log.format":                 "text",
	}, set)
	assert.Empty(t, settings.Warnings)
}

func TestEveryKeyHasItsVariable(t *testing.T) {
	// Examples of a variable's value and the setting that results, by key where only some values are valid, else by type.
	type example struct {
		text string
		want any
	}
	byKey := map[string]example{
		"builder.node.knownScripts":             {strings.Repeat("a", 64), []string{strings.Repeat("a", 64)}},
		"vm.endpoint":                           {"tcp://engine:2375", "tcp://engine:2375"},
		"vm.docker.tls.ca.file":                 {"/ca.pem", "/ca.pem"},
		"vm.docker.tls.cert.file":               {"/cert.pem", "/cert.pem"},
		"vm.docker.tls.key.file":                {"/key.pem", "/key.pem"},
		"vm.docker.hostConfig.Dns":              {"192.0.2.1  2001:db8::1", []string{"192.0.2.1", "2001:db8::1"}},
		"vm.docker.hostConfig.ExtraHosts":       {"a:192.0.2.1 b:host-gateway", []string{"a:192.0.2.1", "b:host-gateway"}},
		"vm.docker.hostConfig.MemorySwappiness": {"0", int64(0)},
		"vm.docker.hostConfig.MemorySwap":       {"-1", int64(-1)},
		"vm.docker.hostConfig.OomKillDisable":   {"false", false},
		"vm.docker.hostConfig.CpuPeriod":        {"50000", int64(50000)},
		"vm.docker.hostConfig.BlkioWeight":      {"500", int64(500)},
		"chaincode.logging.level":               {"DEBUG", "debug"},
		"chaincode.logging.shim":                {"error", "error"},
		"builder.types":                         {"node golang", []string{"node", "golang"}},
		"builder.fabricVersion":                 {"2.5", "2.5"},
		"builder.build.output":                  {"all", "all"},
		"builder.build.caBundle":                {"/ca.pem", "/ca.pem"},
		"builder.build.secrets":                 {"~/.netrc=/netrc /etc/key=/key", map[string]string{"~/.netrc": "/netrc", "/etc/key": "/key"}},
		"builder.cache.scope":                   {"label", "label"},
		"builder.pullPolicy":                    {"never", "never"},
		"builder.registry.config":               {"/config.json", "/config.json"},
		"builder.metrics.directory":             {"/metrics", "/metrics"},
		"builder.security.keyReader":            {"1000:1001", "1000:1001"},
		"builder.stopGrace":                     {"1s", time.Second},
		"builder.log.level":                     {"debug", "debug"},
		"builder.log.format":                    {"json", "json"},
	}
	byType := func(value any) example {
		switch value := value.(type) {
		case string:
			return example{"other", "other"}
		case int64:
			return example{"67108864", int64(67108864)}
		case float64:
			return example{"1.5", 1.5}
		case bool:
			return example{fmt.Sprint(!value), !value}
		case time.Duration:
			return example{"90s", 90 * time.Second}
		case []string:
			return example{"one  two", []string{"one", "two"}}
		case config.Environment:
			return example{"A=1 B=x=y", config.Environment{"A=1", "B=x=y"}}
		case map[string]string:
			return example{"max-size=1m tag=x", map[string]string{"max-size": "1m", "tag": "x"}}
		}
		return example{}
	}
	settings := config.Defaults()
	var names []string
	for _, key := range settings.Keys() {
		names = append(names, key.Name)
		if strings.HasPrefix(key.Name, "builder.overrides") {
			assert.Empty(t, key.Variable, "a variable cannot hold a list of sections")
			continue
		}
		t.Run(key.Name, func(t *testing.T) {
			assert.Equal(t, "CORE_"+strings.ToUpper(strings.ReplaceAll(key.Name, ".", "_")), key.Variable)
			ex, special := byKey[key.Name]
			if !special {
				ex = byType(key.Value())
			}
			require.NotEmpty(t, ex.text, "no example for a key of this type")
			loaded, err := config.Load(t.TempDir(), []string{key.Variable + "=" + ex.text})
			require.NoError(t, err)
			assert.Equal(t, ex.want, values(loaded)[key.Name])
		})
	}
	assert.IsIncreasing(t, names)
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
		"variables for the peer are skipped": {file, []string{
			"CORE_PEER_ID=peer0", "CORE_LEDGER_STATE_STATEDATABASE=CouchDB", "CORE_BUILDER=x", "CORE_VM=x", "PATH=/bin", "BUILDER_PIDS=1", "core_builder_pids=1", "CORE_BUILDER_PIDS",
		}, map[string]any{"builder.pids": int64(100)}},
		"keys are case-insensitive": {"VM:\n  DOCKER:\n    hostconfig:\n      networkmode: x\nBuilder:\n  BUILDTIMEOUT: 20m\n", nil, map[string]any{
			"vm.docker.hostConfig.NetworkMode": "x", "builder.buildTimeout": 20 * time.Minute,
		}},
		"values in quotes": {"builder: {pids: \"12\", buildTimeout: \"3m\"}", nil, map[string]any{"builder.pids": int64(12), "builder.buildTimeout": 3 * time.Minute}},
		"a key without a value keeps its default": {"vm:\nbuilder:\n  pids:\n  prefix: ~\n", nil, map[string]any{
			"builder.pids": int64(4096), "builder.prefix": "fabric-chaincode",
		}},
		"an empty string is a value":         {"vm: {docker: {hostConfig: {NetworkMode: \"\"}}}", nil, map[string]any{"vm.docker.hostConfig.NetworkMode": ""}},
		"off, which YAML reads as a boolean": {"builder: {cache: {scope: off}}", nil, map[string]any{"builder.cache.scope": "off"}},
		"an empty file":                      {"", nil, map[string]any{"builder.pids": int64(4096)}},
		"a file of comments":                 {"# nothing is set\n---\n", nil, map[string]any{"builder.pids": int64(4096)}},
		"a value with = in it":               {"", []string{"CORE_CHAINCODE_LOGGING_FORMAT=a=b"}, map[string]any{"chaincode.logging.format": "a=b"}},
		"a prefix with long separators":      {"builder: {prefix: a--b/c__d.e}", nil, map[string]any{"builder.prefix": "a--b/c__d.e"}},
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

func TestLoadErrorsNameFileKeyAndExpectedValueInOneLine(t *testing.T) {
	tests := map[string]struct{ yaml, want string }{
		"not YAML":                          {"vm: [", "invalid YAML: line 1: did not find expected node content"},
		"a tab":                             {"vm:\n\tendpoint: x\n", "invalid YAML: line 2: found character that cannot start any token"},
		"a list":                            {"- vm\n- builder\n", `expected a section with keys, got a list`},
		"a string":                          {"nothing\nat all\n", `expected a section with keys, got "nothing at all"`},
		"unknown section":                   {"peer2: {}", "peer2: unknown key: expected one of vm, chaincode, peer, builder"},
		"unknown key":                       {"builder:\n  cache: {scpe: off}\n", "builder.cache.scpe: unknown key: expected one of scope"},
		"unknown key, deep":                 {"vm: {docker: {hostconfig: {logconfig: {size: 1}}}}", "vm.docker.hostConfig.LogConfig.size: unknown key: expected one of Type, Config"},
		"a key of its section":              {"pids: 1", "pids: unknown key: expected one of vm, chaincode, peer, builder"},
		"a value for a section":             {"vm: unix:///x", `vm: expected a section with keys, got "unix:///x"`},
		"two lines for a section":           {"vm: |\n  unix:///x\n  unix:///y\n", `vm: expected a section with keys, got "unix:///x\nunix:///y\n"`},
		"a section for a value":             {"builder: {pids: {max: 1}}", `builder.pids: expected a whole number, got a map`},
		"a list for a value":                {"chaincode: {builder: [a]}", `chaincode.builder: expected a string, got a list`},
		"a number for a string":             {"chaincode: {builder: 2147483648}", "chaincode.builder: invalid value 2147483648: expected a string in quotes"},
		"a boolean for a string":            {"vm: {endpoint: yes}", "vm.endpoint: invalid value true: expected a string"},
		"a string for a number":             {"builder: {pids: many}", `builder.pids: invalid value "many": expected a whole number`},
		"a number with a unit":              {"vm: {docker: {hostConfig: {Memory: 2g}}}", `vm.docker.hostConfig.Memory: invalid value "2g": expected a whole number`},
		"a fraction":                        {"builder: {pids: 1.5}", "builder.pids: invalid value 1.5: expected a whole number"},
		"a huge number":                     {"builder: {pids: 1e30}", "builder.pids: invalid value 1e+30: expected a whole number"},
		"a number for a duration":           {"builder: {buildTimeout: 900}", "builder.buildTimeout: invalid value 900: expected a duration such as 300s or 15m"},
		"a string for a duration":           {"builder: {buildTimeout: soon}", `builder.buildTimeout: invalid value "soon": expected a duration such as 300s or 15m`},
		"too little memory":                 {"vm: {docker: {hostConfig: {Memory: 1048576}}}", "vm.docker.hostConfig.Memory: invalid value 1048576: expected at least 6291456 bytes, or 0 for no limit"},
		"negative memory":                   {"vm: {docker: {hostConfig: {Memory: -1}}}", "vm.docker.hostConfig.Memory: invalid value -1: expected at least 6291456 bytes, or 0 for no limit"},
		"no time to build":                  {"builder: {buildTimeout: 10ms}", "builder.buildTimeout: invalid value 10ms: expected at least 1s"},
		"no time to start":                  {"chaincode: {startuptimeout: 0s}", "chaincode.startuptimeout: invalid value 0s: expected at least 1s"},
		"no processes":                      {"builder: {pids: 0}", "builder.pids: invalid value 0: expected at least 1"},
		"prefix in upper case":              {"builder: {prefix: Fabric}", `builder.prefix: invalid value "Fabric": expected an image name: lower-case letters and digits, separated by . _ - or /`},
		"prefix of a separator":             {"builder: {prefix: \"a/\"}", `builder.prefix: invalid value "a/": expected an image name: lower-case letters and digits, separated by . _ - or /`},
		"prefix of two lines":               {"builder: {prefix: \"a\\nb\"}", `builder.prefix: invalid value "a\nb": expected an image name: lower-case letters and digits, separated by . _ - or /`},
		"empty prefix":                      {"builder: {prefix: \"\"}", `builder.prefix: invalid value "": expected an image name: lower-case letters and digits, separated by . _ - or /`},
		"a key twice":                       {"builder:\n  pids: 1\n  pids: 2\n", `invalid YAML: unmarshal errors: line 3: key "pids" already set in map`},
		"a string for a boolean":            {"builder: {saveSource: perhaps}", `builder.saveSource: invalid value "perhaps": expected true or false`},
		"a number for a boolean":            {"builder: {saveSource: 1}", `builder.saveSource: invalid value 1: expected true or false`},
		"a number for a list":               {"vm: {docker: {hostConfig: {CapAdd: 1}}}", `vm.docker.hostConfig.CapAdd: invalid value 1: expected a list of strings`},
		"numbers in a list":                 {"vm: {docker: {hostConfig: {CapAdd: [1]}}}", `vm.docker.hostConfig.CapAdd: invalid entry 1: expected a list of strings`},
		"a list for a map":                  {"vm: {docker: {hostConfig: {LogConfig: {Config: [a]}}}}", `vm.docker.hostConfig.LogConfig.Config: invalid value: expected a map of NAME: VALUE, or NAME=VALUE in a variable`},
		"a list in a map":                   {"vm: {docker: {hostConfig: {LogConfig: {Config: {a: [b]}}}}}", `vm.docker.hostConfig.LogConfig.Config: invalid entry "a": expected a map of NAME: VALUE, or NAME=VALUE in a variable`},
		"a string for CPUs":                 {"builder: {cpus: half}", `builder.cpus: invalid value "half": expected a number`},
		"CPUs that are not a number":        {"builder: {cpus: .nan}", "invalid YAML: error converting YAML to JSON: json: unsupported value: NaN"},
		"hardly any CPU":                    {"builder: {cpus: 0.001}", "builder.cpus: invalid value 0.001: expected at least 0.01, or 0 for no limit"},
		"negative CPUs":                     {"builder: {build: {cpus: -1}}", "builder.build.cpus: invalid value -1: expected at least 0.01, or 0 for no limit"},
		"little memory for builds":          {"builder: {build: {memory: 1}}", "builder.build.memory: invalid value 1: expected at least 6291456 bytes, or 0 for no limit"},
		"negative pids for builds":          {"builder: {build: {pids: -1}}", "builder.build.pids: invalid value -1: expected at least 1, or 0 for the engine's default"},
		"a negative size of outputs":        {"builder: {build: {outputSize: -1}}", "builder.build.outputSize: invalid value -1: expected at least 1 byte, or 0 for no limit"},
		"a negative number of files":        {"builder: {build: {outputFiles: -1}}", "builder.build.outputFiles: invalid value -1: expected at least 1, or 0 for no limit"},
		"half a pointer":                    {"vm: {docker: {hostConfig: {MemorySwappiness: 1.5}}}", "vm.docker.hostConfig.MemorySwappiness: invalid value 1.5: expected a whole number"},
		"too much swappiness":               {"vm: {docker: {hostConfig: {MemorySwappiness: 101}}}", "vm.docker.hostConfig.MemorySwappiness: invalid value 101: expected 0 to 100"},
		"text for OomKillDisable":           {"vm: {docker: {hostConfig: {OomKillDisable: x}}}", `vm.docker.hostConfig.OomKillDisable: invalid value "x": expected true or false`},
		"negative swap":                     {"vm: {docker: {hostConfig: {MemorySwap: -2}}}", "vm.docker.hostConfig.MemorySwap: invalid value -2: expected memory and swap together in bytes, -1 for no limit, or 0 for no swap"},
		"negative CPU shares":               {"vm: {docker: {hostConfig: {CpuShares: -1}}}", "vm.docker.hostConfig.CpuShares: invalid value -1: expected at least 0"},
		"a short CPU period":                {"vm: {docker: {hostConfig: {CpuPeriod: 1}}}", "vm.docker.hostConfig.CpuPeriod: invalid value 1: expected 1000 to 1000000, or 0 for the engine's default"},
		"a small CPU quota":                 {"vm: {docker: {hostConfig: {CpuQuota: 1}}}", "vm.docker.hostConfig.CpuQuota: invalid value 1: expected at least 1000, or 0 for no limit"},
		"a heavy block weight":              {"vm: {docker: {hostConfig: {BlkioWeight: 65546}}}", "vm.docker.hostConfig.BlkioWeight: invalid value 65546: expected 10 to 1000, or 0 for the engine's default"},
		"a host name for a name server":     {"vm: {docker: {hostConfig: {Dns: [192.0.2.1, ns.example.com]}}}", `vm.docker.hostConfig.Dns: invalid value "ns.example.com": expected an IP address`},
		"an extra host without an address":  {"vm: {docker: {hostConfig: {ExtraHosts: [peer0]}}}", `vm.docker.hostConfig.ExtraHosts: invalid value "peer0": expected NAME:ADDRESS`},
		"a path for the endpoint":           {"vm: {endpoint: /var/run/docker.sock}", `vm.endpoint: invalid value "/var/run/docker.sock": expected unix:///path, tcp://host:port, http://host:port, https://host:port, or an empty value for the default`},
		"ssh for the endpoint":              {"vm: {endpoint: \"ssh://me@host\"}", `vm.endpoint: invalid value "ssh://me@host": expected unix:///path, tcp://host:port, http://host:port, https://host:port, or an empty value for the default`},
		"an empty image":                    {"chaincode: {builder: \"\"}", `chaincode.builder: invalid value "": expected an image name; the placeholders are $(ARCH), $(PROJECT_VERSION), $(TWO_DIGIT_VERSION) and $(DOCKER_NS)`},
		"an unknown placeholder":            {"chaincode: {java: {runtime: \"x:$(NODE_VER)\"}}", `chaincode.java.runtime: invalid value "x:$(NODE_VER)": expected an image name; the placeholders are $(ARCH), $(PROJECT_VERSION), $(TWO_DIGIT_VERSION) and $(DOCKER_NS)`},
		"an unknown type":                   {"builder: {types: [golang, wasm]}", `builder.types: invalid value "wasm": expected one of golang, node, java, docker, k8s, ccaas, external`},
		"a type in upper case":              {"builder: {types: [NODE]}", `builder.types: invalid value "NODE": expected one of golang, node, java, docker, k8s, ccaas, external`},
		"an x in the version":               {"builder: {fabricVersion: 3.x}", `builder.fabricVersion: invalid value "3.x": expected a version such as 3.1 or 3.1.4`},
		"a number for the version":          {"builder: {fabricVersion: 3.1}", "builder.fabricVersion: invalid value 3.1: expected a string in quotes"},
		"a bad namespace":                   {"builder: {dockerNamespace: A}", `builder.dockerNamespace: invalid value "A": expected an image name: lower-case letters and digits, separated by . _ - or /`},
		"a URL for the mirror":              {"builder: {registry: {mirror: \"https://example.com\"}}", `builder.registry.mirror: invalid value "https://example.com": expected an image name: lower-case letters and digits, separated by . _ - or /`},
		"no time to pull":                   {"builder: {registry: {timeout: 0s}}", "builder.registry.timeout: invalid value 0s: expected at least 1s"},
		"no time without progress":          {"builder: {registry: {inactivityTimeout: 1ms}}", "builder.registry.inactivityTimeout: invalid value 1ms: expected at least 1s"},
		"more grace than the peer allows":   {"builder: {stopGrace: 5s}", "builder.stopGrace: invalid value 5s: expected whole seconds, at most 3s, because the peer kills run after 5s"},
		"half a second of grace":            {"builder: {stopGrace: 500ms}", "builder.stopGrace: invalid value 500ms: expected whole seconds, at most 3s, because the peer kills run after 5s"},
		"an unknown policy":                 {"builder: {pullPolicy: sometimes}", `builder.pullPolicy: invalid value "sometimes": expected one of always, missing, never`},
		"an unknown scope":                  {"builder: {cache: {scope: peer}}", `builder.cache.scope: invalid value "peer": expected one of engine, msp, label, off`},
		"on for a scope":                    {"builder: {cache: {scope: on}}", "builder.cache.scope: invalid value true: expected a string"},
		"an unknown level":                  {"builder: {log: {level: loud}}", `builder.log.level: invalid value "loud": expected one of trace, debug, info, warn, error`},
		"an unknown format":                 {"builder: {log: {format: xml}}", `builder.log.format: invalid value "xml": expected one of text, json`},
		"a variable without a value":        {"builder: {environment: [A]}", `builder.environment: invalid entry 1: expected a map of NAME: VALUE, or a list of NAME=VALUE`},
		"a variable without a name":         {"builder: {environment: [\"=a\"]}", `builder.environment: invalid entry 1: expected a map of NAME: VALUE, or a list of NAME=VALUE`},
		"a name with a space":               {"builder: {buildArgs: {\"a b\": c}}", `builder.buildArgs: invalid variable name "a b": expected letters, digits and any of _.- after a first letter or _`},
		"a list as a variable's value":      {"builder: {environment: {A: [b]}}", `builder.environment: invalid entry "A": expected a map of NAME: VALUE, or a list of NAME=VALUE`},
		"a reserved variable":               {"builder: {environment: {CORE_PEER_ADDRESS: x}}", "builder.environment: cannot set CORE_PEER_ADDRESS: the contract between peer and chaincode determines its value"},
		"the variable that starts a server": {"builder: {overrides: [{label: a, environment: [CHAINCODE_SERVER_ADDRESS=x]}]}", "builder.overrides[0].environment: cannot set CHAINCODE_SERVER_ADDRESS: the contract between peer and chaincode determines its value"},
		"a map for overrides":               {"builder: {overrides: {a: {pids: 1}}}", `builder.overrides: expected a list of sections, got a map`},
		"a string for an override":          {"builder: {overrides: [a]}", `builder.overrides[0]: expected a section with keys, got "a"`},
		"an override without a label":       {"builder: {overrides: [{label: a}, {pids: 1}]}", `builder.overrides[1]: neither label nor packageId is set: set one of them, or both`},
		"a malformed pattern":               {"builder: {overrides: [{label: \"[a\"}]}", `builder.overrides[0].label: invalid value "[a": expected a label, or a pattern such as basic_*`},
		"a malformed pattern of an id":      {"builder: {overrides: [{packageId: \"[a:b\"}]}", `builder.overrides[0].packageId: invalid value "[a:b": expected LABEL:HASH as the peer prints it, or a pattern such as basic_*:*`},
		"a label for an id":                 {"builder: {overrides: [{packageId: basic_1.0}]}", `builder.overrides[0].packageId: invalid value "basic_1.0": expected LABEL:HASH as the peer prints it, or a pattern such as basic_*:*`},
		"an unknown key of overrides":       {"builder: {overrides: [{label: a, image: b}]}", "builder.overrides[0].image: unknown key: expected one of label, packageId, images, memory, cpus, pids, environment, network, capAdd, keyReader, debug"},
		"a wrong type in overrides":         {"builder: {overrides: [{label: a, memory: 1g}]}", `builder.overrides[0].memory: invalid value "1g": expected a whole number`},
		"little memory in overrides":        {"builder: {overrides: [{label: a, memory: 1}]}", "builder.overrides[0].memory: invalid value 1: expected at least 6291456 bytes, or 0 for no limit"},
		"no processes in overrides":         {"builder: {overrides: [{label: a, pids: 0}]}", "builder.overrides[0].pids: invalid value 0: expected at least 1"},
		"a name that reads the key":         {"builder: {security: {keyReader: app}}", `builder.security.keyReader: invalid value "app": expected UID or UID:GID as numbers, or all`},
		"half a user that reads the key":    {"builder: {security: {keyReader: \"500:\"}}", `builder.security.keyReader: invalid value "500:": expected UID or UID:GID as numbers, or all`},
		"a user that does not exist":        {"builder: {security: {keyReader: 4294967295}}", `builder.security.keyReader: invalid value "4294967295": expected UID or UID:GID as numbers, or all`},
		"a group that does not exist":       {"builder: {overrides: [{label: a, keyReader: '1:9999999999'}]}", `builder.overrides[0].keyReader: invalid value "1:9999999999": expected UID or UID:GID as numbers, or all`},
		"a NUL in a variable":               {`builder: {environment: {A: "x\0y"}}`, "builder.environment: invalid value of A: it contains a NUL, which no variable can hold"},
		"two variables in one":              {"builder: {environment: {'A=B': x}}", `builder.environment: invalid entry "A=B": expected a map of NAME: VALUE, or a list of NAME=VALUE`},
		"a name in overrides":               {"builder: {overrides: [{label: a, keyReader: app}]}", `builder.overrides[0].keyReader: invalid value "app": expected UID or UID:GID as numbers, or all`},
		"negative CPUs in overrides":        {"builder: {overrides: [{label: a, cpus: -1}]}", "builder.overrides[0].cpus: invalid value -1: expected at least 0.01, or 0 for no limit"},
		"a bad image in overrides":          {"builder: {overrides: [{label: a, images: {runtime: \"a b\"}}]}", `builder.overrides[0].images.runtime: invalid value "a b": expected an image name; the placeholders are $(ARCH), $(PROJECT_VERSION), $(TWO_DIGIT_VERSION) and $(DOCKER_NS)`},
		"a key twice, in another case":      {"builder:\n  PIDS: 1\n  pids: 2\n", "builder.pids: set twice, as PIDS and as pids"},
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
		"a string for a number":          {"CORE_BUILDER_PIDS=many", `variable CORE_BUILDER_PIDS: invalid value "many": expected a whole number`},
		"a fraction":                     {"CORE_BUILDER_PIDS=1.5", `variable CORE_BUILDER_PIDS: invalid value "1.5": expected a whole number`},
		"a huge number":                  {"CORE_BUILDER_PIDS=99999999999999999999", `variable CORE_BUILDER_PIDS: invalid value "99999999999999999999": expected a whole number`},
		"a number for a duration":        {"CORE_BUILDER_BUILDTIMEOUT=900", `variable CORE_BUILDER_BUILDTIMEOUT: invalid value "900": expected a duration such as 300s or 15m`},
		"an invalid value":               {"CORE_BUILDER_PIDS=0", "variable CORE_BUILDER_PIDS: builder.pids: invalid value 0: expected at least 1"},
		"a string for a boolean":         {"CORE_CHAINCODE_PULL=yes", `variable CORE_CHAINCODE_PULL: invalid value "yes": expected true or false`},
		"NaN for CPUs":                   {"CORE_BUILDER_CPUS=NaN", `variable CORE_BUILDER_CPUS: invalid value "NaN": expected a number`},
		"a map entry without =":          {"CORE_VM_DOCKER_HOSTCONFIG_LOGCONFIG_CONFIG=max-size", `variable CORE_VM_DOCKER_HOSTCONFIG_LOGCONFIG_CONFIG: invalid value: expected a map of NAME: VALUE, or NAME=VALUE in a variable`},
		"an environment entry without =": {"CORE_BUILDER_ENVIRONMENT=A=1 B", `variable CORE_BUILDER_ENVIRONMENT: invalid entry 2: expected a map of NAME: VALUE, or a list of NAME=VALUE`},
		"an unknown type":                {"CORE_BUILDER_TYPES=golang wasm", `variable CORE_BUILDER_TYPES: builder.types: invalid value "wasm": expected one of golang, node, java, docker, k8s, ccaas, external`},
		"bad swappiness":                 {"CORE_VM_DOCKER_HOSTCONFIG_MEMORYSWAPPINESS=x", `variable CORE_VM_DOCKER_HOSTCONFIG_MEMORYSWAPPINESS: invalid value "x": expected a whole number`},
		"an invalid prefix":              {"CORE_BUILDER_PREFIX=A", `variable CORE_BUILDER_PREFIX: builder.prefix: invalid value "A": expected an image name: lower-case letters and digits, separated by . _ - or /`},
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

func TestKeysThatCannotBeCombined(t *testing.T) {
	tests := map[string]struct {
		yaml    string
		environ []string
		want    string
	}{
		"a certificate without a key": {"vm: {docker: {tls: {enabled: true, cert: {file: c}}}}", nil,
			"vm.docker.tls.cert.file in FILE: client certificate without a key: set vm.docker.tls.key.file as well, or neither"},
		"a key without a certificate": {"vm: {docker: {tls: {enabled: true}}}", []string{"CORE_VM_DOCKER_TLS_KEY_FILE=k"},
			"variable CORE_VM_DOCKER_TLS_KEY_FILE: key without a client certificate: set vm.docker.tls.cert.file as well, or neither"},
		"less swap than memory": {"vm: {docker: {hostConfig: {MemorySwap: 1073741824}}}", nil,
			"vm.docker.hostConfig.MemorySwap in FILE: invalid value 1073741824: expected at least vm.docker.hostConfig.Memory, which must be set too, since the value covers memory and swap together"},
		"swap without memory": {"", []string{"CORE_VM_DOCKER_HOSTCONFIG_MEMORY=0", "CORE_VM_DOCKER_HOSTCONFIG_MEMORYSWAP=1073741824"},
			"variable CORE_VM_DOCKER_HOSTCONFIG_MEMORYSWAP: invalid value 1073741824: expected at least vm.docker.hostConfig.Memory, which must be set too, since the value covers memory and swap together"},
		"two limits of the processor": {"builder: {cpus: 1}\nvm: {docker: {hostConfig: {CpuQuota: 50000}}}", nil,
			"builder.cpus in FILE: cannot be combined with vm.docker.hostConfig.CpuPeriod and CpuQuota: set one or the other"},
		"a mode in a list of networks": {"builder: {networks: [x, host]}", nil,
			`builder.networks in FILE: "host" cannot be combined with other networks: set it alone, or only set networks, here and in vm.docker.hostConfig.NetworkMode`},
		"a mode in a list in a variable": {"", []string{"CORE_BUILDER_NETWORKS=container:peer0 x"},
			`variable CORE_BUILDER_NETWORKS: "container:peer0" cannot be combined with other networks: set it alone, or only set networks, here and in vm.docker.hostConfig.NetworkMode`},
		"a mode beside a network": {"vm: {docker: {hostConfig: {NetworkMode: x}}}\nbuilder: {networks: [none]}", nil,
			`builder.networks in FILE: "none" cannot be combined with other networks: set it alone, or only set networks, here and in vm.docker.hostConfig.NetworkMode`},
		"a network beside a mode": {"vm: {docker: {hostConfig: {NetworkMode: default}}}", []string{"CORE_BUILDER_NETWORKS=x"},
			`vm.docker.hostConfig.NetworkMode in FILE: "default" cannot be combined with other networks: set it alone, or only set networks, here and in builder.networks`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := home(t, test.yaml)
			_, err := config.Load(dir, test.environ)
			assert.EqualError(t, err, strings.ReplaceAll(test.want, " in FILE", " in "+filepath.Join(dir, config.File)))
		})
	}
	t.Run("with TLS off", func(t *testing.T) {
		_, err := config.Load(home(t, "vm: {docker: {tls: {cert: {file: c}}}}"), nil)
		assert.NoError(t, err)
	})
}

func TestEnvironmentsAreListsOrMaps(t *testing.T) {
	for yaml, want := range map[string]config.Environment{
		"{B: 1, A: true, C: text with spaces, D: }": {"A=true", "B=1", "C=text with spaces", "D="},
		`["B=1", "A=x=y", "C="]`:                    {"B=1", "A=x=y", "C="},
		"{}":                                        nil,
		"A=1 B=2":                                   {"A=1", "B=2"},
		"[A=1, B=2, A=3]":                           {"B=2", "A=3"},
		`{LARGE: 20240101, URL: "https://u:p@example.com"}`: {"LARGE=20240101", "URL=https://u:p@example.com"},
	} {
		settings, err := config.Load(home(t, "builder: {build: {environment: "+yaml+"}}"), nil)
		require.NoError(t, err, yaml)
		if len(want) == 0 {
			assert.Empty(t, settings.Builder.Build.Environment)
			continue
		}
		assert.Equal(t, want, settings.Builder.Build.Environment, yaml)
	}
}

// A value that is not set must not be sent to an engine, so zero and not set are different.
func TestNotSetIsNotZero(t *testing.T) {
	host := load(t, "").VM.Docker.HostConfig
	assert.Nil(t, host.MemorySwappiness)
	assert.Nil(t, host.OomKillDisable)
	host = load(t, "vm: {docker: {hostConfig: {MemorySwappiness: 0, OomKillDisable: false}}}").VM.Docker.HostConfig
	require.NotNil(t, host.MemorySwappiness)
	assert.Zero(t, *host.MemorySwappiness)
	require.NotNil(t, host.OomKillDisable)
	assert.False(t, *host.OomKillDisable)
}
