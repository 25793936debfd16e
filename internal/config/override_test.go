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

func TestForLabel(t *testing.T) {
	settings := load(t, overrides)
	before := values(settings)

	none := settings.ForLabel("other_1.0")
	assert.Equal(t, before, values(none))

	upgraded := settings.ForLabel("basic_2.0")
	assert.Equal(t, int64(1<<30), upgraded.VM.Docker.HostConfig.Memory)
	assert.Zero(t, upgraded.VM.Docker.HostConfig.MemorySwap, "the swap limit was meant for the other amount of memory")
	assert.Equal(t, int64(10), upgraded.Builder.Pids)
	assert.Equal(t, config.Environment{"A=1", "B=basic", "C=basic"}, upgraded.Builder.Environment)
	assert.Equal(t, "all", upgraded.VM.Docker.HostConfig.NetworkMode)
	assert.Equal(t, []string{"more"}, upgraded.Builder.Networks)
	assert.Equal(t, settings.Chaincode, upgraded.Chaincode)

	both := settings.ForLabel("basic_1.0") // all that match apply, in order
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
		assert.Equal(t, test.match, settings.ForLabel(test.label).Builder.Pids == 1, "%s %s", test.pattern, test.label)
	}
}

func TestAnOverrideCanLiftALimit(t *testing.T) {
	settings := load(t, "builder: {cpus: 2, overrides: [{label: big, memory: 0, cpus: 0}]}").ForLabel("big")
	assert.Zero(t, settings.VM.Docker.HostConfig.Memory)
	assert.Zero(t, settings.Builder.CPUs)
}
