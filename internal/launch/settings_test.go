// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/test/fakeengine"
)

// created runs with these settings. It returns the host configuration that run sent, without the fields that are left
// to the engine, and the container.
func (r *runner) created(t *testing.T, yaml string, environ ...string) (map[string]any, fakeengine.Container) {
	t.Helper()
	process := r.process(t)
	require.NoError(t, os.WriteFile(filepath.Join(process.Home, config.File), []byte(yaml), 0o644))
	process.Environ = append(process.Environ, environ...)
	var container fakeengine.Container
	r.engine.SetProgram(func(p *fakeengine.Process) int { container = p.Container; return 0 })
	require.NoError(t, Run(t.Context(), process))
	calls := r.engine.Calls(fakeengine.Create)
	require.NotEmpty(t, calls)
	var body struct{ HostConfig map[string]any }
	require.NoError(t, json.Unmarshal(calls[len(calls)-1].Body, &body))
	for name, value := range body.HostConfig {
		if text, _ := json.Marshal(value); strings.Contains(` null "" 0 false [] {} [0,0] {"Name":""} `, " "+string(text)+" ") && name != "OomKillDisable" && name != "MemorySwappiness" || value == nil {
			delete(body.HostConfig, name)
		}
	}
	return body.HostConfig, container
}

func TestHostConfigByDefault(t *testing.T) {
	host, _ := newRunner(t).created(t, "")
	assert.Equal(t, map[string]any{
		"NetworkMode":   "host",
		"CapDrop":       []any{"ALL"},
		"SecurityOpt":   []any{"no-new-privileges"},
		"RestartPolicy": map[string]any{"Name": "no", "MaximumRetryCount": 0.0},
		"LogConfig":     map[string]any{"Type": "json-file", "Config": map[string]any{"max-size": "50m", "max-file": "5"}},
		"Init":          true,
		"Memory":        float64(2 << 30),
		"MemorySwap":    float64(2 << 30),
		"PidsLimit":     4096.0,
	}, host)
}

func TestHostConfigTakesEveryFieldThatTheBuiltInHonours(t *testing.T) {
	host, _ := newRunner(t).created(t, `
vm:
  docker:
    hostConfig:
      NetworkMode: none
      Dns: [192.0.2.53]
      DnsSearch: [example.com]
      ExtraHosts: [peer0.org1.example.com:192.0.2.1]
      LogConfig: {Type: local, Config: {max-size: 1m}}
      CapAdd: [SYS_PTRACE]
      CapDrop: [NET_RAW]
      SecurityOpt: [seccomp=unconfined]
      IpcMode: private
      PidMode: host
      UTSMode: host
      Memory: 1073741824
      MemorySwap: -1
      MemorySwappiness: 0
      OomKillDisable: false
      CpuShares: 512
      CpuPeriod: 100000
      CpuQuota: 50000
      Cpuset: 0-1
      CpusetMEMs: "0"
      BlkioWeight: 500
      CgroupParent: /chaincodes
builder: {pids: 99}
`)
	assert.Equal(t, map[string]any{
		"NetworkMode":      "none",
		"Dns":              []any{"192.0.2.53"},
		"DnsSearch":        []any{"example.com"},
		"ExtraHosts":       []any{"peer0.org1.example.com:192.0.2.1"},
		"LogConfig":        map[string]any{"Type": "local", "Config": map[string]any{"max-size": "1m"}},
		"CapAdd":           []any{"CAP_SYS_PTRACE"},
		"CapDrop":          []any{"ALL", "CAP_NET_RAW"},
		"SecurityOpt":      []any{"no-new-privileges", "seccomp=unconfined"},
		"RestartPolicy":    map[string]any{"Name": "no", "MaximumRetryCount": 0.0},
		"IpcMode":          "private",
		"PidMode":          "host",
		"UTSMode":          "host",
		"Init":             true,
		"Memory":           float64(1 << 30),
		"MemorySwap":       -1.0,
		"MemorySwappiness": 0.0,
		"OomKillDisable":   false,
		"CpuShares":        512.0,
		"CpuPeriod":        100000.0,
		"CpuQuota":         50000.0,
		"CpusetCpus":       "0-1",
		"CpusetMems":       "0",
		"BlkioWeight":      500.0,
		"CgroupParent":     "/chaincodes",
		"PidsLimit":        99.0,
	}, host)
}

func TestSecuritySettings(t *testing.T) {
	tests := map[string]struct {
		yaml string
		want map[string]any // nil: not sent
	}{
		"the engine's default capabilities": {"builder: {security: {dropCapabilities: false}}", map[string]any{"CapDrop": nil, "CapAdd": nil}},
		"the default without one":           {"{builder: {security: {dropCapabilities: false}}, vm: {docker: {hostConfig: {CapDrop: [NET_RAW]}}}}", map[string]any{"CapDrop": []any{"CAP_NET_RAW"}}},
		"no capabilities, set twice":        {"vm: {docker: {hostConfig: {CapDrop: [ALL], CapAdd: [CHOWN]}}}", map[string]any{"CapDrop": []any{"ALL"}, "CapAdd": []any{"CAP_CHOWN"}}},
		"new privileges":                    {"builder: {security: {noNewPrivileges: false}}", map[string]any{"SecurityOpt": nil}},
		"new privileges, in core.yaml":      {"vm: {docker: {hostConfig: {SecurityOpt: [\"no-new-privileges:false\"]}}}", map[string]any{"SecurityOpt": []any{"no-new-privileges:false"}}},
		"no new privileges, set twice":      {"vm: {docker: {hostConfig: {SecurityOpt: [no-new-privileges]}}}", map[string]any{"SecurityOpt": []any{"no-new-privileges"}}},
		"no init":                           {"builder: {security: {init: false}}", map[string]any{"Init": nil}},
		"no memory limit":                   {"vm: {docker: {hostConfig: {Memory: 0}}}", map[string]any{"Memory": nil, "MemorySwap": nil}},
		"a fraction of a CPU":               {"builder: {cpus: 0.29}", map[string]any{"NanoCpus": 290000000.0, "CpuQuota": nil}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			host, _ := newRunner(t).created(t, test.yaml)
			for field, want := range test.want {
				assert.Equal(t, want, host[field], field)
			}
		})
	}
}

func TestAnOverrideAppliesToItsLabelOnly(t *testing.T) {
	const yaml = `
builder:
  environment: {COLOUR: blue, SHARED: "1"}
  overrides:
    - {label: "basic_*", pids: 7, cpus: 0.5, memory: 67108864, network: none, environment: {COLOUR: red}}
    - {label: nothing, pids: 8}
`
	host, container := newRunner(t).created(t, yaml)
	assert.Equal(t, 7.0, host["PidsLimit"])
	assert.Equal(t, 5e8, host["NanoCpus"])
	assert.Equal(t, float64(64<<20), host["Memory"])
	assert.Equal(t, "none", host["NetworkMode"])
	assert.Subset(t, container.Env, []string{"COLOUR=red", "SHARED=1"})
	assert.NotContains(t, container.Env, "COLOUR=blue")

	other := newRunner(t)
	other.record.Label = "other_1.0"
	host, container = other.created(t, yaml)
	assert.Equal(t, 4096.0, host["PidsLimit"])
	assert.Contains(t, container.Env, "COLOUR=blue")
}

// Whoever makes a package chooses its label, but not its id.
func TestAnOverrideAppliesToItsPackageIDOnly(t *testing.T) {
	const yaml = `builder: {overrides: [{packageId: "basic_1.0:abc", network: none, environment: {TOKEN: secret}}]}`
	host, container := newRunner(t).created(t, yaml)
	assert.Equal(t, "none", host["NetworkMode"])
	assert.Contains(t, container.Env, "TOKEN=secret")

	stranger := newRunner(t)
	stranger.chaincode.ID = "basic_1.0:def"
	host, container = stranger.created(t, yaml)
	assert.Equal(t, "host", host["NetworkMode"])
	assert.NotContains(t, container.Env, "TOKEN=secret")
}

func TestLoggingSettingsReachTheChaincode(t *testing.T) {
	_, container := newRunner(t).created(t, "chaincode: {logging: {level: WARNING, shim: loud, format: \"%{message}\"}}")
	assert.Subset(t, container.Env, []string{
		"CORE_CHAINCODE_LOGGING_LEVEL=warn", "CORE_CHAINCODE_LOGGING_SHIM=info", "CORE_CHAINCODE_LOGGING_FORMAT=%{message}",
	})
}

// The operator's variable replaces the default one instead of following it: programs disagree on which of two counts.
func TestTheOperatorsVariablesReplaceTheDefaults(t *testing.T) {
	_, container := newRunner(t).created(t, "builder: {environment: {CORE_CHAINCODE_LOGGING_LEVEL: debug, TINI_KILL_PROCESS_GROUP: \"0\"}}")
	assert.Subset(t, container.Env, []string{"CORE_CHAINCODE_LOGGING_LEVEL=debug", "TINI_KILL_PROCESS_GROUP=0"})
	names := map[string]bool{}
	for _, variable := range container.Env {
		name, _, _ := strings.Cut(variable, "=")
		assert.False(t, names[name], "%s is set twice", name)
		names[name] = true
	}
}

func TestAttachStdout(t *testing.T) {
	for environ, shown := range map[string]bool{"": true, "CORE_VM_DOCKER_ATTACHSTDOUT=true": true, "CORE_VM_DOCKER_ATTACHSTDOUT=false": false} {
		r := newRunner(t)
		process := r.process(t)
		process.Environ = append(process.Environ, environ)
		r.engine.SetProgram(func(p *fakeengine.Process) int {
			_, err := p.Stdout.Write([]byte(strings.Repeat("something\n", 1000)))
			assert.NoError(t, err)
			return 0
		})
		require.NoError(t, Run(t.Context(), process))
		assert.Equal(t, shown, strings.Contains(r.printed(), "something"), environ)
		assert.Contains(t, r.lastLine(), "the chaincode has ended", "run's own messages are always shown")
	}
}

func TestAPeerThatIsKnownByNameNamesItsContainers(t *testing.T) {
	for _, test := range []struct {
		environ []string
		prefix  string
	}{
		{nil, "dev-peer0.org1.example.com-basic_1.0-abc-"},
		{[]string{"CORE_PEER_ID=peer0.org1"}, "dev-peer0.org1-basic_1.0-abc-"},
		{[]string{"CORE_PEER_NETWORKID=prod"}, "prod-peer0.org1.example.com-basic_1.0-abc-"},
		{[]string{"CORE_PEER_NETWORKID=prod", "CORE_PEER_ID=peer/0"}, "prod-peer-0-basic_1.0-abc-"},
	} {
		r := newRunner(t)
		_, container := r.created(t, "", test.environ...)
		assert.True(t, strings.HasPrefix(container.Name, test.prefix), container.Name)
		assert.Equal(t, "Org1MSP", container.Labels[metadata.LabelMSPID], "the MSP is in a label")
		assert.True(t, strings.HasSuffix(container.Name, r.name()[len(r.name())-17:]), "the hash covers what identifies the chaincode")
	}
	long := metadata.RunNameOf(strings.Repeat("n", 200), "_", newRunner(t).chaincode, "token")
	assert.Len(t, long, 128)
}

func TestSettingsWithoutEffectAreReportedOnce(t *testing.T) {
	r := newRunner(t)
	r.created(t, "vm: {docker: {hostConfig: {Privileged: true, Binds: [\"/:/host\"]}}}")
	const line = "ignored, as by the peer's built-in controller: vm.docker.hostConfig.Binds, vm.docker.hostConfig.Privileged"
	assert.Equal(t, 1, strings.Count(r.output.String(), line), r.output.String())
	host, _ := newRunner(t).created(t, "vm: {docker: {hostConfig: {Privileged: true, Binds: [\"/:/host\"]}}}")
	assert.NotContains(t, host, "Privileged")
	assert.NotContains(t, host, "Binds")
}

func TestLogSettingsApplyToRunsOwnMessages(t *testing.T) {
	r := newRunner(t)
	r.created(t, "builder: {log: {format: json}}")
	var lines int
	for line := range strings.Lines(r.output.String()) {
		var entry map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &entry), line)
		assert.NotEmpty(t, entry["@message"])
		lines++
	}
	assert.Greater(t, lines, 1)

	quiet := newRunner(t)
	quiet.created(t, "builder: {log: {level: error}}")
	assert.Empty(t, quiet.output.String())
}

func TestStopGraceReachesTheEngine(t *testing.T) {
	r := newRunner(t)
	process := r.process(t)
	process.Environ = append(process.Environ, "CORE_BUILDER_STOPGRACE=1s")
	started := make(chan struct{})
	r.engine.SetProgram(func(p *fakeengine.Process) int {
		close(started)
		<-p.Stop
		return 0
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		<-started
		cancel(sigterm)
	}()
	require.NoError(t, Run(ctx, process))
	calls := r.engine.Calls(fakeengine.Stop)
	require.Len(t, calls, 1)
	assert.Equal(t, "1", calls[0].Query.Get("t"))
}

// In the 1.x lifecycle the chaincode ID is name:version, and the peer does not write its MSP ID.
func TestAPackageOfTheOldLifecycleRuns(t *testing.T) {
	r := newRunner(t)
	r.chaincode.ID, r.chaincode.MSPID, r.record.Label = "mycc:1.0", "", "mycc:1.0"
	host, container := r.created(t, "builder: {overrides: [{label: \"mycc:*\", pids: 5}]}")
	assert.True(t, strings.HasPrefix(container.Name, "dev-peer0.org1.example.com-mycc-1.0-"), container.Name)
	assert.Subset(t, container.Env, []string{"CORE_CHAINCODE_ID_NAME=mycc:1.0", "CORE_PEER_LOCALMSPID="})
	assert.Equal(t, "mycc:1.0", container.Labels[metadata.LabelChaincodeID])
	assert.Equal(t, 5.0, host["PidsLimit"])
}

// The peer takes such a core.yaml for no limit, and launches.
func TestAWrongLimitInCoreYAMLIsTheDefaultLimit(t *testing.T) {
	r, core := newRunner(t), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(core, "core.yaml"), []byte("vm: {docker: {hostConfig: {Memory: 2g}}}\nchaincode: {startuptimeout: 300}"), 0o644))
	host, _ := r.created(t, "", "FABRIC_CFG_PATH="+core)
	assert.InDelta(t, 2<<30, host["Memory"], 0)
	assert.Contains(t, r.output.String(), "2147483648 is used")
}
