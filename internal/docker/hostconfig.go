// SPDX-License-Identifier: Apache-2.0

package docker

import (
	"math"
	"slices"

	"github.com/docker/docker/api/types/container"
)

// Security limits what a container may do. The zero value is the strictest: no capability, no new privileges.
type Security struct {
	Capabilities     []string // to add
	KeepCapabilities bool     // keep the engine's default capabilities
	DropCapabilities []string // to drop from the defaults
	NewPrivileges    bool     // processes may gain privileges through set-id programs
	SecurityOptions  []string // in the engine's notation, such as seccomp=unconfined
	IPCMode          string
	PIDMode          string
	UTSMode          string
}

// DNS holds the DNS settings of a container. Empty fields: the engine's defaults.
type DNS struct {
	NameServers   []string
	SearchDomains []string
}

// Resources limits how much of the engine's machine a container may use.
type Resources struct {
	Memory           int64 // bytes; 0: no limit
	MemorySwap       int64 // bytes of memory and swap together, -1: no limit; 0: same as Memory, so no swap
	MemorySwappiness *int64
	OOMKillDisable   *bool
	Pids             int64   // 0: the engine's default
	CPUs             float64 // processors; 0: no limit
	CPUShares        int64
	CPUPeriod        int64 // microseconds
	CPUQuota         int64 // microseconds of each period
	CPUSetCPUs       string
	CPUSetMems       string
	BlkioWeight      uint16
	CgroupParent     string
}

func (s Spec) hostConfig() *container.HostConfig {
	host := &container.HostConfig{
		NetworkMode:    container.NetworkMode(s.NetworkMode),
		DNS:            s.NameServers,
		DNSSearch:      s.SearchDomains,
		ExtraHosts:     s.ExtraHosts,
		CapAdd:         s.Capabilities,
		CapDrop:        s.capabilitiesToDrop(),
		SecurityOpt:    s.securityOptions(),
		ReadonlyRootfs: s.ReadOnly,
		Tmpfs:          s.tmpfs(),
		PortBindings:   s.portBindings(),
		IpcMode:        container.IpcMode(s.IPCMode),
		PidMode:        container.PidMode(s.PIDMode),
		UTSMode:        container.UTSMode(s.UTSMode),
		RestartPolicy:  container.RestartPolicy{Name: container.RestartPolicyDisabled},
		LogConfig:      container.LogConfig{Type: s.LogDriver, Config: s.LogOptions},
		Resources:      s.resources(),
	}
	if host.LogConfig.Type == "" {
		host.LogConfig.Type = "json-file" // its logs can be read, which followers of a build and a reconnecting run need
	}
	if s.Init {
		host.Init = &s.Init
	}
	for path, volume := range s.Volumes {
		host.Binds = append(host.Binds, volume+":"+path)
	}
	return host
}

func (s Security) capabilitiesToDrop() []string {
	if s.KeepCapabilities || slices.Contains(s.DropCapabilities, "ALL") {
		return s.DropCapabilities
	}
	return append([]string{"ALL"}, s.DropCapabilities...)
}

func (s Security) securityOptions() []string {
	if s.NewPrivileges {
		return s.SecurityOptions
	}
	return append([]string{"no-new-privileges"}, s.SecurityOptions...)
}

// resources sets only what the caller has set: podman and newer kernels fail on swappiness and on disabling the OOM
// killer, even if the value is the default.
func (r Resources) resources() container.Resources {
	resources := container.Resources{
		Memory:           r.Memory,
		MemorySwap:       r.MemorySwap,
		MemorySwappiness: r.MemorySwappiness,
		OomKillDisable:   r.OOMKillDisable,
		NanoCPUs:         int64(math.Round(r.CPUs * 1e9)),
		CPUShares:        r.CPUShares,
		CPUPeriod:        r.CPUPeriod,
		CPUQuota:         r.CPUQuota,
		CpusetCpus:       r.CPUSetCPUs,
		CpusetMems:       r.CPUSetMems,
		BlkioWeight:      r.BlkioWeight,
		CgroupParent:     r.CgroupParent,
	}
	if r.MemorySwap == 0 {
		resources.MemorySwap = r.Memory // the engine's default allows as much swap as memory
	}
	if r.Pids > 0 {
		resources.PidsLimit = &r.Pids
	}
	return resources
}
