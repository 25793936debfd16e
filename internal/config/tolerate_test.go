// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
)

// loadCore loads the settings with this core.yaml, and returns the warnings without its name.
func loadCore(t *testing.T, core, yaml string, environ ...string) (config.Settings, []string) {
	t.Helper()
	dir := coreIn(t, core)
	config.UseCoreDirs(t, dir)
	settings, err := config.Load(home(t, yaml), environ)
	require.NoError(t, err)
	var warnings []string
	for _, warning := range settings.Warnings {
		assert.NotContains(t, warning, "\n")
		warnings = append(warnings, strings.ReplaceAll(warning, filepath.Join(dir, "core.yaml"), "CORE"))
	}
	return settings, warnings
}

// A peer starts with all of these.
func TestAWrongValueInCoreYAMLIsOneWarningWithTheValueThatIsUsed(t *testing.T) {
	const defaultDuration = "expected a duration such as 300s or 15m"
	tests := map[string]struct {
		yaml, key string
		value     any
		want      string
	}{
		"memory with a unit": {"vm: {docker: {hostConfig: {Memory: 2g}}}", "vm.docker.hostConfig.Memory", int64(2147483648),
			`CORE: vm.docker.hostConfig.Memory: invalid value "2g": expected a whole number; 2147483648 is used`},
		"negative memory": {"vm: {docker: {hostConfig: {Memory: -1}}}", "vm.docker.hostConfig.Memory", int64(2147483648),
			`CORE: vm.docker.hostConfig.Memory: invalid value -1: expected at least 6291456 bytes, or 0 for no limit; 2147483648 is used`},
		"a list for a number": {"vm: {docker: {hostConfig: {Memory: [1]}}}", "vm.docker.hostConfig.Memory", int64(2147483648),
			"CORE: vm.docker.hostConfig.Memory: expected a whole number, got a list; 2147483648 is used"},
		"yes in quotes": {`vm: {docker: {attachStdout: "yes"}}`, "vm.docker.attachStdout", true,
			`CORE: vm.docker.attachStdout: invalid value "yes": expected true or false; true is used`},
		"a number for a boolean": {`chaincode: {golang: {dynamicLink: 1}}`, "chaincode.golang.dynamicLink", false,
			`CORE: chaincode.golang.dynamicLink: invalid value 1: expected true or false; it is ignored`},
		"a time-out without a unit": {"chaincode: {startuptimeout: 300}", "chaincode.startuptimeout", 5 * time.Second,
			"CORE: chaincode.startuptimeout: invalid value 300: " + defaultDuration + "; 5s is used"},
		"the same in quotes": {`chaincode: {startuptimeout: "300"}`, "chaincode.startuptimeout", 5 * time.Second,
			`CORE: chaincode.startuptimeout: invalid value "300": ` + defaultDuration + "; 5s is used"},
		"a time-out in nanoseconds": {"chaincode: {startuptimeout: 60000000000}", "chaincode.startuptimeout", time.Minute,
			"CORE: chaincode.startuptimeout: invalid value 60000000000: " + defaultDuration + "; 1m0s is used"},
		"a time-out that is none": {"chaincode: {startuptimeout: soon}", "chaincode.startuptimeout", 5 * time.Second,
			`CORE: chaincode.startuptimeout: invalid value "soon": ` + defaultDuration + "; 5s is used"},
		"a short time-out": {"chaincode: {startuptimeout: 2s}", "chaincode.startuptimeout", 5 * time.Second,
			`CORE: chaincode.startuptimeout: invalid value "2s": expected at least 5s; 5s is used`},
		"a negative time-out": {"chaincode: {startuptimeout: -1s}", "chaincode.startuptimeout", 5 * time.Second,
			`CORE: chaincode.startuptimeout: invalid value -1s: expected at least 1s; 5s is used`},
		"no YAML for a boolean": {"chaincode: {pull: maybe}", "chaincode.pull", false,
			`CORE: chaincode.pull: invalid value "maybe": expected true or false; it is ignored`},
		"a value for a section": {"vm: {docker: 5}", "vm.docker.attachStdout", true,
			"CORE: vm.docker: expected a section with keys, got 5; it is ignored"},
		"a value for an outer section": {"chaincode: none", "chaincode.pull", false,
			`CORE: chaincode: expected a section with keys, got "none"; it is ignored`},
		"a map for a list": {"vm: {docker: {hostConfig: {Dns: {a: b}}}}", "vm.docker.hostConfig.Dns", []string(nil),
			"CORE: vm.docker.hostConfig.Dns: expected a list of strings, got a map; it is ignored"},
		"a host name for a name server": {"vm: {docker: {hostConfig: {Dns: [ns.example.com]}}}", "vm.docker.hostConfig.Dns", []string(nil),
			`CORE: vm.docker.hostConfig.Dns: invalid value "ns.example.com": expected an IP address; it is ignored`},
		"a value out of range": {"vm: {docker: {hostConfig: {BlkioWeight: 5}}}", "vm.docker.hostConfig.BlkioWeight", int64(0),
			"CORE: vm.docker.hostConfig.BlkioWeight: invalid value 5: expected 10 to 1000, or 0 for the engine's default; it is ignored"},
		"an optional value out of range": {"vm: {docker: {hostConfig: {MemorySwappiness: 101}}}", "vm.docker.hostConfig.MemorySwappiness", nil,
			"CORE: vm.docker.hostConfig.MemorySwappiness: invalid value 101: expected 0 to 100; it is ignored"},
		"options of the log": {"vm: {docker: {hostConfig: {LogConfig: {Config: {max-size: [s3cret]}}}}}", "vm.docker.hostConfig.LogConfig.Type", "json-file",
			`CORE: vm.docker.hostConfig.LogConfig.Config: invalid entry "max-size": expected a map of NAME: VALUE, or NAME=VALUE in a variable; it is ignored`},
		"an engine of another kind": {"vm: {endpoint: \"ssh://me@host\"}", "vm.endpoint", "unix:///x",
			`CORE: vm.endpoint: invalid value "ssh://me@host": expected unix:///path, tcp://host:port, http://host:port, https://host:port, or an empty value for the default; it is ignored`},
		"a key in two spellings": {"peer: {ID: a, id: b}", "peer.id", "a", "CORE: peer.id: set twice, as ID and as id; a is used"},
		"a key twice":            {"peer:\n  id: a\n  id: b\n", "peer.id", "b", `CORE: line 3: key "id" already set in map: the last one counts (peers from 3.0 on refuse the file)`},
		"a section twice, elsewhere": {"vm:\n  endpoint: unix:///x\npeer:\n  id: peer0\nledger:\n  a: 1\nledger:\n  a: 2\n", "peer.id", "peer0",
			`CORE: line 8: key "ledger" already set in map: the last one counts (peers from 3.0 on refuse the file)`},
		"a certificate without a key": {"vm: {docker: {tls: {enabled: true, cert: {file: c}}}}", "vm.docker.tls.cert.file", "",
			"vm.docker.tls.cert.file in CORE: client certificate without a key: set vm.docker.tls.key.file as well, or neither; it is ignored"},
		"less swap than memory": {"vm: {docker: {hostConfig: {MemorySwap: 1073741824}}}", "vm.docker.hostConfig.MemorySwap", int64(0),
			"vm.docker.hostConfig.MemorySwap in CORE: invalid value 1073741824: expected at least vm.docker.hostConfig.Memory, which must be set too, since the value covers memory and swap together; it is ignored"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			settings, warnings := loadCore(t, test.yaml, "", "DOCKER_HOST=unix:///x")
			assert.Equal(t, test.value, values(settings)[test.key])
			assert.Equal(t, []string{test.want}, warnings)
		})
	}
}

func TestSeveralWrongValuesInCoreYAML(t *testing.T) {
	_, warnings := loadCore(t, "chaincode: {startuptimeout: 300}\nvm: {docker: {attachStdout: \"yes\", hostConfig: {Memory: 2g, CpuShares: 512}}}", "")
	assert.Len(t, warnings, 3)
}

func TestTheRestOfAWrongSectionCounts(t *testing.T) {
	settings, _ := loadCore(t, "vm: {docker: {hostConfig: {Memory: 2g, NetworkMode: fabric_test, CpuShares: 512}}}", "")
	assert.Equal(t, "fabric_test", settings.VM.Docker.HostConfig.NetworkMode)
	assert.EqualValues(t, 512, settings.VM.Docker.HostConfig.CpuShares)
}

func TestARightValueWinsOverAWrongOneInCoreYAML(t *testing.T) {
	const core = `{chaincode: {startuptimeout: 300, golang: {runtime: "$(BASE_DOCKER_NS)/fabric-baseos:$(BASE_VERSION)"}}, vm: {docker: {hostConfig: {Memory: 2g}}}}`
	want := func(t *testing.T, settings config.Settings, warnings []string) {
		assert.Equal(t, time.Minute, settings.Chaincode.StartupTimeout)
		assert.Equal(t, int64(1<<30), settings.VM.Docker.HostConfig.Memory)
		assert.Equal(t, "baseos:1", settings.Chaincode.Golang.Runtime)
		assert.NoError(t, settings.CheckImage("chaincode.golang.runtime", settings.Chaincode.Golang.Runtime))
		assert.Empty(t, warnings)
	}
	t.Run("in config.yaml", func(t *testing.T) {
		settings, warnings := loadCore(t, core, `{chaincode: {startuptimeout: 60s, golang: {runtime: "baseos:1"}}, vm: {docker: {hostConfig: {Memory: 1073741824}}}}`)
		want(t, settings, warnings)
	})
	t.Run("in variables", func(t *testing.T) {
		settings, warnings := loadCore(t, core, "",
			"CORE_CHAINCODE_STARTUPTIMEOUT=60s", "CORE_CHAINCODE_GOLANG_RUNTIME=baseos:1", "CORE_VM_DOCKER_HOSTCONFIG_MEMORY=1073741824")
		want(t, settings, warnings)
	})
}

// A shipped core.yaml of a peer on the host names its network.
func TestConfigYAMLWinsOverWhatCannotBeCombinedInCoreYAML(t *testing.T) {
	settings, warnings := loadCore(t, "vm: {docker: {hostConfig: {NetworkMode: host, CpuPeriod: 50000, CpuQuota: 25000}}}", "builder: {networks: [x], cpus: 1}")
	assert.Empty(t, settings.VM.Docker.HostConfig.NetworkMode)
	assert.Equal(t, []string{"x"}, settings.Builder.Networks)
	assert.Zero(t, settings.VM.Docker.HostConfig.CpuPeriod+settings.VM.Docker.HostConfig.CpuQuota)
	require.Len(t, warnings, 3)
	assert.Contains(t, warnings[0], "cannot be combined with vm.docker.hostConfig.CpuPeriod and CpuQuota: set one or the other; vm.docker.hostConfig.CpuPeriod in CORE: it is ignored")
	assert.Contains(t, warnings[2], `vm.docker.hostConfig.NetworkMode in CORE: "host" cannot be combined with other networks`)
}

func TestConfigYAMLAndVariablesStayStrict(t *testing.T) {
	config.UseCoreDirs(t, coreIn(t, "chaincode: {startuptimeout: 300}"))
	for yaml, want := range map[string]string{
		"chaincode: {startuptimeout: 300}":               "chaincode.startuptimeout: invalid value 300: expected a duration such as 300s or 15m",
		"vm: {docker: {hostConfig: {Memory: 2g}}}":       `vm.docker.hostConfig.Memory: invalid value "2g": expected a whole number`,
		`vm: {docker: {attachStdout: "yes"}}`:            `vm.docker.attachStdout: invalid value "yes": expected true or false`,
		"peer:\n  id: a\n  id: b\n":                      `key "id" already set in map`,
		`chaincode: {golang: {runtime: "x:$(VERSION)"}}`: `chaincode.golang.runtime: invalid value "x:$(VERSION)": expected an image name`,
	} {
		_, err := config.Load(home(t, yaml), nil)
		assert.ErrorContains(t, err, want)
	}
	_, err := config.Load(t.TempDir(), []string{"CORE_CHAINCODE_STARTUPTIMEOUT=300"})
	assert.ErrorContains(t, err, `variable CORE_CHAINCODE_STARTUPTIMEOUT: invalid value "300": expected a duration such as 300s or 15m`)
}

// The placeholders are those of Fabric 1.4.
func TestAnImageOfCoreYAMLIsCheckedWhenItIsNeeded(t *testing.T) {
	const image = "$(BASE_DOCKER_NS)/fabric-baseos:$(ARCH)-$(BASE_VERSION)"
	settings, warnings := loadCore(t, "chaincode: {golang: {runtime: "+image+"}}", `builder: {overrides: [{label: a, images: {runtime: "x:1"}}]}`)
	assert.Empty(t, warnings)
	assert.NoError(t, settings.CheckImage("chaincode.builder", settings.Chaincode.Builder))
	assert.ErrorContains(t, settings.CheckImage("chaincode.golang.runtime", settings.Chaincode.Golang.Runtime),
		`core.yaml: chaincode.golang.runtime: invalid value "`+image+`": expected an image name; the placeholders are `)
	overridden := settings.For(config.Subject{Label: "a"})
	assert.NoError(t, overridden.CheckImage("chaincode.golang.runtime", overridden.Chaincode.Golang.Runtime))
}
