// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"fabric-builder-docker/internal/config"
)

const overrides = `
vm: {docker: {hostConfig: {NetworkMode: all, MemorySwap: 4294967296, CpuQuota: 50000, CpuPeriod: 100000}}}
builder:
  networks: [more]
  environment: {A: "1", B: "2"}
  overrides:
    - label: basic_*
      memory: 1073741824
      pids: 10
      environment: {B: basic, C: basic}
    - label: basic_1.0
      images: {runtime: "example.com/$(DOCKER_NS)/r:$(TWO_DIGIT_VERSION)", builder: b:1}
      cpus: 0.5
      environment: [C=one=1]
      network: own
    - label: nothing_matches_this
      memory: 0
`

func TestOverridesByLabel(t *testing.T) {
	settings := load(t, overrides)
	before := values(settings)

	none := settings.For(config.Subject{Label: "other_1.0"})
	assert.Equal(t, before, values(none))

	upgraded := settings.For(config.Subject{Label: "basic_2.0"})
	assert.Equal(t, int64(1<<30), upgraded.VM.Docker.HostConfig.Memory)
	assert.Zero(t, upgraded.VM.Docker.HostConfig.MemorySwap, "the swap limit was meant for the other amount of memory")
	assert.Equal(t, int64(10), upgraded.Builder.Pids)
	assert.Equal(t, config.Environment{"A=1", "B=basic", "C=basic"}, upgraded.Builder.Environment)
	assert.Equal(t, "all", upgraded.VM.Docker.HostConfig.NetworkMode)
	assert.Equal(t, []string{"more"}, upgraded.Builder.Networks)
	assert.Equal(t, settings.Chaincode, upgraded.Chaincode)

	both := settings.For(config.Subject{Label: "basic_1.0"}) // all that match apply, in order
	assert.Equal(t, int64(1<<30), both.VM.Docker.HostConfig.Memory)
	assert.Equal(t, config.Environment{"A=1", "B=basic", "C=one=1"}, both.Builder.Environment)
	assert.Equal(t, "own", both.VM.Docker.HostConfig.NetworkMode)
	assert.Empty(t, both.Builder.Networks)
	assert.Equal(t, 0.5, both.Builder.CPUs)
	assert.Zero(t, both.VM.Docker.HostConfig.CpuQuota, "engines accept only one of the two")
	assert.Zero(t, both.VM.Docker.HostConfig.CpuPeriod)
	assert.Equal(t, "b:1", both.Chaincode.Builder)
	assert.Equal(t, "example.com/hyperledger/r:3.1", both.Chaincode.Golang.Runtime)
	assert.Equal(t, "example.com/hyperledger/r:3.1", both.Chaincode.Node.Runtime)

	assert.Equal(t, before, values(settings), "a label's settings must not leak into another's")
}

func TestLabelsOfOverrides(t *testing.T) {
	tests := []struct {
		pattern, label string
		match          bool
	}{
		{"basic_1.0", "basic_1.0", true},
		{"basic_1.0", "basic_1.01", false},
		{"basic_1.0", "basic_1x0", false},
		{"*", "mycc:1.0", true}, // a label of the 1.x lifecycle
		{"basic_[0-9].?", "basic_1.0", true},
		{"basic_*", "Basic_1", false},
		{"a+b__", "a+b__", true},
	}
	for _, test := range tests {
		settings := load(t, "builder: {overrides: [{label: \""+test.pattern+"\", pids: 1}]}")
		assert.Equal(t, test.match, settings.For(config.Subject{Label: test.label}).Builder.Pids == 1, "%s %s", test.pattern, test.label)
	}
}

func TestOverridesByPackageID(t *testing.T) {
	const hash, evil = "8a4c000000000000000000000000000000000000000000000000000000000000", "6666000000000000000000000000000000000000000000000000000000000000"
	good := config.Subject{Label: "pay_1.0", ID: "pay_1.0:" + hash}
	tests := map[string]struct {
		override string
		subject  config.Subject
		match    bool
	}{
		"the id":                        {"packageId: " + good.ID, good, true},
		"another package of that label": {"packageId: " + good.ID, config.Subject{Label: "pay_1.0", ID: "pay_1.0:" + evil}, false},
		"that hash, another label":      {"packageId: " + good.ID, config.Subject{Label: "pay_2.0", ID: "pay_2.0:" + hash}, false},
		"an id that is not known":       {"packageId: " + good.ID, config.Subject{Label: "pay_1.0"}, false},
		"a pattern":                     {"packageId: \"pay_*:8a4c*\"", good, true},
		"a pattern for all":             {"packageId: \"*:*\"", good, true},
		"all, but it is not known":      {"packageId: \"*:*\"", config.Subject{Label: "pay_1.0"}, false},
		"both match":                    {"label: pay_*, packageId: " + good.ID, good, true},
		"only the label matches":        {"label: pay_*, packageId: " + good.ID, config.Subject{Label: "pay_evil", ID: "pay_evil:" + evil}, false},
		"only the id matches":           {"label: basic_*, packageId: " + good.ID, good, false},
		"the label of one that is not":  {"label: pay_*", config.Subject{Label: "pay_evil", ID: "pay_evil:" + evil}, true},
		"name and version":              {"packageId: mycc:1.0", config.Subject{Label: "mycc", ID: "mycc:1.0"}, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			settings := load(t, "builder: {overrides: [{"+test.override+", pids: 1}]}")
			assert.Equal(t, test.match, settings.For(test.subject).Builder.Pids == 1)
		})
	}
}

func TestImagesThatNeedThePackageID(t *testing.T) {
	settings := load(t, `
builder:
  overrides:
    - {packageId: "pay_1.0:aa", images: {runtime: x}}
    - {packageId: "pay_*:bb", label: "*_1.0", images: {builder: x}}
    - {packageId: "pay_1.0:cc", pids: 1}
    - {label: pay_1.0, images: {runtime: x}}
`)
	assert.Equal(t, []string{"pay_1.0:aa", "pay_*:bb"}, settings.UndecidedImages(config.Subject{Label: "pay_1.0"}))
	assert.Empty(t, settings.UndecidedImages(config.Subject{Label: "pay_1.0", ID: "pay_1.0:dd"}), "it is known")
	assert.Empty(t, settings.UndecidedImages(config.Subject{Label: "pay_2.0"}), "none can match")
}

func TestAnOverrideForAnImageThatChangesItsUser(t *testing.T) {
	settings := load(t, `
vm: {docker: {hostConfig: {CapAdd: [SYS_PTRACE]}}}
builder: {security: {keyReader: all}, overrides: [{label: gosu, keyReader: 500, capAdd: [SETUID, SETGID]}, {label: "*", pids: 1}]}
`)
	other := settings.For(config.Subject{Label: "other"})
	assert.Equal(t, "all", other.Builder.Security.KeyReader)
	assert.Equal(t, []string{"SYS_PTRACE"}, other.VM.Docker.HostConfig.CapAdd)
	changing := settings.For(config.Subject{Label: "gosu"})
	assert.Equal(t, "500", changing.Builder.Security.KeyReader, "a number without quotes")
	assert.Equal(t, []string{"SYS_PTRACE", "SETUID", "SETGID"}, changing.VM.Docker.HostConfig.CapAdd)
	assert.Equal(t, []string{"SYS_PTRACE"}, settings.VM.Docker.HostConfig.CapAdd, "an override must not leak")
}

func TestAnOverrideCanLiftALimit(t *testing.T) {
	settings := load(t, "builder: {cpus: 2, overrides: [{label: big, memory: 0, cpus: 0}]}").For(config.Subject{Label: "big"})
	assert.Zero(t, settings.VM.Docker.HostConfig.Memory)
	assert.Zero(t, settings.Builder.CPUs)
}

func TestDebuggingOfOverrides(t *testing.T) {
	settings := load(t, `
chaincode: {logging: {level: warning}}
builder:
  overrides:
    - {label: "*", pids: 1}
    - {label: basic_*, debug: {ports: [9229, "1234:5678"], keep: true, command: [a, b]}}
    - {label: basic_1.0, debug: {ports: ["[::1]::2345"], logLevel: debug}}
`)
	none := settings.For(config.Subject{Label: "other"})
	assert.Empty(t, none.Debugging)
	one := settings.For(config.Subject{Label: "basic_2.0"})
	assert.Equal(t, []string{"builder.overrides[1]"}, one.Debugging.By)
	assert.Equal(t, []config.Port{{Address: "127.0.0.1", HostPort: 9229, Port: 9229}, {Address: "127.0.0.1", HostPort: 1234, Port: 5678}}, one.Debugging.PublishedPorts())
	assert.Equal(t, "warn", one.Chaincode.Logging.Level)
	both := settings.For(config.Subject{Label: "basic_1.0"})
	assert.Equal(t, []string{"builder.overrides[1]", "builder.overrides[2]"}, both.Debugging.By)
	assert.Equal(t, []config.Port{{Address: "::1", Port: 2345}}, both.Debugging.PublishedPorts(), "the later override wins")
	assert.Equal(t, []string{"a", "b"}, both.Debugging.Command)
	assert.True(t, both.Debugging.Keep)
	assert.Equal(t, config.Logging{Level: "debug", Shim: "debug", Format: both.Chaincode.Logging.Format}, both.Chaincode.Logging)
}

func TestInvalidDebugging(t *testing.T) {
	for debug, want := range map[string]string{
		"ports: [0]":                  `builder.overrides[0].debug.ports: invalid value "0": expected PORT, HOST_PORT:PORT`,
		"ports: [65536]":              `invalid value "65536"`,
		"ports: [9229.5]":             `invalid value "9229.5"`,
		`ports: ["9229/udp"]`:         `invalid value "9229/udp"`,
		`ports: ["9229-9231"]`:        `invalid value "9229-9231"`,
		`ports: [":9229"]`:            `invalid value ":9229"`,
		`ports: ["9229:"]`:            `invalid value "9229:"`,
		`ports: ["localhost:1:2"]`:    `invalid value "localhost:1:2"`,
		`ports: ["1:2:3:4"]`:          `invalid value "1:2:3:4"`,
		`ports: ["127.0.0.1:0:9229"]`: `invalid value "127.0.0.1:0:9229"`,
		"ports: [[1]]":                "builder.overrides[0].debug.ports: invalid entry 1: expected a list of strings",
		`command: [""]`:               "builder.overrides[0].debug.command: the first entry is empty",
		"logLevel: loud":              `builder.overrides[0].debug.logLevel: invalid value "loud": expected debug, info`,
		"keep: 3":                     "builder.overrides[0].debug.keep: invalid value 3: expected true or false",
		"port: [1]":                   "builder.overrides[0].debug.port: unknown key: expected one of ports, command, logLevel, keep",
	} {
		t.Run(debug, func(t *testing.T) {
			_, err := config.Load(home(t, "builder: {overrides: [{label: a, debug: {"+debug+"}}]}"), nil)
			assert.ErrorContains(t, err, want)
		})
	}
}
