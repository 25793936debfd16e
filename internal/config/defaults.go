// SPDX-License-Identifier: Apache-2.0

package config

import (
	"slices"
	"time"
)

// The release of Fabric whose images are used if neither a setting nor a peer names one.
const (
	defaultVersion   = "3.1"
	defaultNamespace = "hyperledger"
)

// Defaults returns the settings that apply if the operator sets nothing and no peer says which release of Fabric it is.
func Defaults() Settings {
	return Settings{
		VM: VM{Docker: VMDocker{
			AttachStdout: true,
			HostConfig: HostConfig{
				Memory:    2 << 30,
				LogConfig: LogConfig{Type: "json-file", Config: map[string]string{"max-size": "50m", "max-file": "5"}},
			},
		}},
		Chaincode: Chaincode{
			Builder: "$(DOCKER_NS)/fabric-ccenv:$(TWO_DIGIT_VERSION)",
			Golang:  Golang{Runtime: "$(DOCKER_NS)/fabric-baseos:$(TWO_DIGIT_VERSION)"},
			Java:    Runtime{"$(DOCKER_NS)/fabric-javaenv:$(TWO_DIGIT_VERSION)"},
			Node:    Runtime{"$(DOCKER_NS)/fabric-nodeenv:$(TWO_DIGIT_VERSION)"},
			Logging: Logging{
				Level:  "info",
				Shim:   "warn",
				Format: "%{color}%{time:2006-01-02 15:04:05.000 MST} [%{module}] %{shortfunc} -> %{level:.4s} %{id:03x}%{color:reset} %{message}",
			},
			StartupTimeout: 300 * time.Second,
		},
		Builder: Builder{
			Types:           slices.Clone(KnownTypes),
			Prefix:          "fabric-chaincode",
			FabricVersion:   defaultVersion,
			DockerNamespace: defaultNamespace,
			BuildTimeout:    15 * time.Minute,
			Build:           Build{Pids: 4096, Output: OutputSummary, OutputSize: 4 << 30, OutputFiles: 1000000},
			Cache:           Cache{Scope: CacheEngine},
			Snapshots:       true,
			Node:            NodeBuilds{Snapshots: true},
			SaveSource:      true,
			PullPolicy:      PullMissing,
			Registry:        Registry{Timeout: 10 * time.Minute, InactivityTimeout: time.Minute},
			Pids:            4096,
			Security:        Security{DropCapabilities: true, NoNewPrivileges: true, Init: true},
			StopGrace:       2 * time.Second,
			Log:             Log{Level: "info", Format: "text"},
		},
	}
}
