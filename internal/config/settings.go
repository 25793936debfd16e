// Package config is the operator's settings as one typed value. They come from config.yaml beside bin/, then from
// CORE_… variables, and bear the names that core.yaml of the peer gives them: vm.docker.hostConfig.NetworkMode is
// CORE_VM_DOCKER_HOSTCONFIG_NETWORKMODE in the environment. The builder section holds what core.yaml lacks.
//
// Keys are matched without regard to case, as the peer does. An unknown key, a value of the wrong type or an
// impossible one is an error that names the file, the key and what is allowed; nothing starts with it.
package config

import "time"

// Settings holds every key. Its field names are the keys, in the spelling of core.yaml by tag.
type Settings struct {
	VM        VM        `key:"vm"`
	Chaincode Chaincode `key:"chaincode"`
	Builder   Builder   `key:"builder"`

	endpointSource string
}

// VM is the engine and how containers run on it.
type VM struct {
	Endpoint string   `key:"endpoint"`
	Docker   VMDocker `key:"docker"`
}

// VMDocker is how containers run.
type VMDocker struct {
	HostConfig HostConfig `key:"hostConfig"`
}

// HostConfig is what the operator decides of a chaincode's container.
type HostConfig struct {
	NetworkMode string `key:"NetworkMode"`
	Memory      int64  `key:"Memory"` // bytes
}

// Chaincode is images and times.
type Chaincode struct {
	Builder        string        `key:"builder"` // builder image for golang
	Golang         Runtime       `key:"golang"`
	Node           Runtime       `key:"node"`
	StartupTimeout time.Duration `key:"startuptimeout"`
}

// Runtime is the runtime image of one language; for node it is the builder image as well.
type Runtime struct {
	Runtime string `key:"runtime"`
}

// Builder is what core.yaml has no name for.
type Builder struct {
	Prefix       string        `key:"prefix"`       // of image, volume and build container names
	BuildTimeout time.Duration `key:"buildTimeout"` // of one build, waiting for another builder included
	Pids         int64         `key:"pids"`         // processes and threads of one chaincode
}

// Defaults are the settings of an operator who has set nothing.
func Defaults() Settings {
	return Settings{
		VM: VM{Docker: VMDocker{HostConfig: HostConfig{Memory: 2 << 30}}},
		Chaincode: Chaincode{
			Builder:        "hyperledger/fabric-ccenv:3.1",
			Golang:         Runtime{"hyperledger/fabric-baseos:3.1"},
			Node:           Runtime{"hyperledger/fabric-nodeenv:2.5"},
			StartupTimeout: 300 * time.Second,
		},
		Builder: Builder{
			Prefix:       "fabric-chaincode",
			BuildTimeout: 15 * time.Minute,
			Pids:         4096,
		},
	}
}
