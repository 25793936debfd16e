// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
)

func load(t *testing.T, yaml string, environ ...string) config.Settings {
	t.Helper()
	settings, err := config.Load(home(t, yaml), environ)
	require.NoError(t, err)
	return settings
}

func TestPlaceholdersInNamesOfImages(t *testing.T) {
	tests := map[string]struct{ version, image, builder, node string }{
		"two digits":            {"3.1", "$(DOCKER_NS)/x:$(TWO_DIGIT_VERSION)", "hyperledger/x:3.1", "hyperledger/x:2.5"},
		"two digits, project":   {"3.1", "x:$(PROJECT_VERSION)", "x:3.1", "x:2.5"},
		"three digits":          {"3.1.4", "x:$(TWO_DIGIT_VERSION)", "x:3.1", "x:2.5"},
		"three digits, project": {"2.5.15", "x:$(PROJECT_VERSION)", "x:2.5.15", "x:2.5.15"},
		"a leading v":           {"v2.5.0", "x:$(TWO_DIGIT_VERSION)", "x:2.5", "x:2.5"},
		"a pre-release":         {"3.0.0-beta", "x:$(TWO_DIGIT_VERSION)", "x:3.0", "x:2.5"},
		"before 2.5":            {"2.2", "x:$(TWO_DIGIT_VERSION)", "x:2.2", "x:2.2"},
		"2.10 is after 2.5":     {"2.10", "x:$(TWO_DIGIT_VERSION)", "x:2.10", "x:2.5"},
		"a moving tag":          {"latest", "x:$(TWO_DIGIT_VERSION)", "x:latest", "x:latest"},
		"architecture":          {"3.1", "x:$(ARCH)-$(TWO_DIGIT_VERSION)", "x:" + runtime.GOARCH + "-3.1", "x:" + runtime.GOARCH + "-2.5"},
		"nothing to replace":    {"3.1", "registry.example.com:5000/a/b@sha256:00", "registry.example.com:5000/a/b@sha256:00", "registry.example.com:5000/a/b@sha256:00"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			settings := load(t, "", "CORE_BUILDER_FABRICVERSION="+test.version,
				"CORE_CHAINCODE_BUILDER="+test.image, "CORE_CHAINCODE_NODE_RUNTIME="+test.image, "CORE_CHAINCODE_JAVA_RUNTIME="+test.image)
			assert.Equal(t, test.builder, settings.Chaincode.Builder)
			assert.Equal(t, test.node, settings.Chaincode.Node.Runtime)
			assert.Equal(t, test.node, settings.Chaincode.Java.Runtime)
		})
	}
	settings := load(t, "builder: {dockerNamespace: registry.example.com/hyperledger}\nchaincode: {golang: {runtime: $(DOCKER_NS)/fabric-baseos:3}}")
	assert.Equal(t, "registry.example.com/hyperledger/fabric-baseos:3", settings.Chaincode.Golang.Runtime)

	settings = load(t, "builder: {fabricVersion: '3.1', overrides: [{label: a, images: {runtime: '$(DOCKER_NS)/fabric-nodeenv:$(TWO_DIGIT_VERSION)', builder: 'x:$(TWO_DIGIT_VERSION)'}}]}")
	assert.Equal(t, "hyperledger/fabric-nodeenv:2.5", settings.Builder.Overrides[0].Images.Runtime, "there is no 3.1 of it")
	assert.Equal(t, "x:3.1", settings.Builder.Overrides[0].Images.Builder)
}

func TestLevelsReachChaincodesAsFromThePeer(t *testing.T) {
	for level, want := range map[string]string{
		"info": "info", "INFO": "info", "warning": "warn", "WARNING": "warn", "warn": "warn", "debug": "debug", "error": "error",
		"critical": "error", "notice": "info", "panic": "panic", "dpanic": "dpanic", "FATAL": "fatal", "payload": "debug",
	} {
		settings := load(t, "", "CORE_CHAINCODE_LOGGING_LEVEL="+level, "CORE_CHAINCODE_LOGGING_SHIM="+level)
		assert.Equal(t, want, settings.Chaincode.Logging.Level, level)
		assert.Equal(t, want, settings.Chaincode.Logging.Shim, level)
		assert.Empty(t, settings.Warnings)
	}
	for _, level := range []string{"Info", "verbose", "gossip=debug:info"} {
		settings := load(t, "", "CORE_CHAINCODE_LOGGING_SHIM="+level)
		assert.Equal(t, "info", settings.Chaincode.Logging.Shim)
		assert.Equal(t, []string{`chaincode.logging.shim: invalid log level "` + level + `": chaincodes get info, as from the peer`}, settings.Warnings)
	}
}

func TestWhatNobodyHonoursIsSaidInOneLine(t *testing.T) {
	const prefix = "ignored, as by the peer's built-in controller: "
	tests := map[string]struct {
		yaml, core string
		environ    []string
		want       string
	}{
		"one":           {yaml: "vm: {docker: {hostConfig: {Privileged: true}}}", want: "vm.docker.hostConfig.Privileged"},
		"all, any case": {yaml: "vm: {docker: {hostConfig: {privileged: true, BINDS: [/a:/b], links: [a], PortBindings: {80/tcp: []}}}}", want: "vm.docker.hostConfig.Binds, vm.docker.hostConfig.Links, vm.docker.hostConfig.PortBindings, vm.docker.hostConfig.Privileged"},
		"in core.yaml":  {core: "vm: {docker: {hostConfig: {Binds: [/a:/b]}}}", want: "vm.docker.hostConfig.Binds"},
		"by a variable": {environ: []string{"CORE_VM_DOCKER_HOSTCONFIG_PRIVILEGED=true"}, want: "vm.docker.hostConfig.Privileged"},
		"twice": {yaml: "vm: {docker: {hostConfig: {Privileged: true}}}", core: "vm: {docker: {hostConfig: {Privileged: true}}}",
			environ: []string{"CORE_VM_DOCKER_HOSTCONFIG_PRIVILEGED=true"}, want: "vm.docker.hostConfig.Privileged"},
		"without effect": {yaml: "vm: {docker: {hostConfig: {Privileged: false, Binds: , Links: [], PortBindings: {}}}}",
			environ: []string{"CORE_VM_DOCKER_HOSTCONFIG_PRIVILEGED=false", "CORE_VM_DOCKER_HOSTCONFIG_BINDS="}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			config.UseCoreDirs(t, coreIn(t, test.core))
			settings := load(t, test.yaml, test.environ...)
			if test.want == "" {
				assert.Empty(t, settings.Warnings)
				return
			}
			assert.Equal(t, []string{prefix + test.want}, settings.Warnings)
		})
	}
}

func TestPullTrueMeansAlways(t *testing.T) {
	assert.Equal(t, "always", load(t, "builder: {pullPolicy: never}", "CORE_CHAINCODE_PULL=true").Builder.PullPolicy)
	assert.Equal(t, "never", load(t, "builder: {pullPolicy: never}", "CORE_CHAINCODE_PULL=false").Builder.PullPolicy)
}

func TestOnlyDriversThatKnowTheDefaultRotationGetIt(t *testing.T) {
	for yaml, want := range map[string]map[string]string{
		"":                      {"max-size": "50m", "max-file": "5"},
		"Type: local":           {"max-size": "50m", "max-file": "5"},
		"Type: syslog":          nil,
		`Config: {max-file: 3}`: {"max-file": "3"},
		"Config: {}":            {},
		"Type: fluentd, Config: {tag: x, async: true}": {"tag": "x", "async": "true"},
	} {
		settings := load(t, "vm: {docker: {hostConfig: {LogConfig: {"+yaml+"}}}}")
		assert.Equal(t, want, settings.VM.Docker.HostConfig.LogConfig.Config, yaml)
	}
}

func TestCpusetIsTheOlderNameOfCpusetCPUs(t *testing.T) {
	assert.Equal(t, "0-1", load(t, "vm: {docker: {hostConfig: {Cpuset: 0-1}}}").VM.Docker.HostConfig.CpusetCPUs)
	assert.Equal(t, "2", load(t, "vm: {docker: {hostConfig: {Cpuset: 0-1, CpusetCPUs: \"2\"}}}").VM.Docker.HostConfig.CpusetCPUs)
}
