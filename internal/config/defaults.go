package config

import (
	"slices"
	"time"
)

// Defaults returns the settings that apply if the operator sets nothing.
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
			Builder: "hyperledger/fabric-ccenv:3.1",
			Golang:  Golang{Runtime: "hyperledger/fabric-baseos:3.1"},
			Java:    Runtime{"hyperledger/fabric-javaenv:2.5"},
			Node:    Runtime{"hyperledger/fabric-nodeenv:2.5"},
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
			FabricVersion:   "3.1",
			DockerNamespace: "hyperledger",
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
