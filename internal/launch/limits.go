// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"slices"
	"strings"

	"fabric-builder-docker/internal/docker"
)

// security returns what the chaincode may do: by default almost nothing, plus exactly what the operator has set.
func (l *launch) security() docker.Security {
	host, own := l.settings.VM.Docker.HostConfig, l.settings.Builder.Security
	return docker.Security{
		Capabilities:     host.CapAdd,
		KeepCapabilities: !own.DropCapabilities,
		DropCapabilities: host.CapDrop,
		NewPrivileges:    !own.NoNewPrivileges || slices.ContainsFunc(host.SecurityOpt, setsNewPrivileges),
		SecurityOptions:  host.SecurityOpt,
		IPCMode:          host.IpcMode,
		PIDMode:          host.PidMode,
		UTSMode:          host.UTSMode,
	}
}

// setsNewPrivileges reports whether a security option is no-new-privileges, with or without a value (:false or =false).
func setsNewPrivileges(option string) bool { return strings.HasPrefix(option, "no-new-privileges") }

// resources returns the limits on what the chaincode may use.
func (l *launch) resources() docker.Resources {
	host, own := l.settings.VM.Docker.HostConfig, l.settings.Builder
	return docker.Resources{
		Memory:           host.Memory,
		MemorySwap:       host.MemorySwap,
		MemorySwappiness: host.MemorySwappiness,
		OOMKillDisable:   host.OomKillDisable,
		Pids:             own.Pids,
		CPUs:             own.CPUs,
		CPUShares:        host.CpuShares,
		CPUPeriod:        host.CpuPeriod,
		CPUQuota:         host.CpuQuota,
		CPUSetCPUs:       host.CpusetCPUs,
		CPUSetMems:       host.CpusetMEMs,
		BlkioWeight:      uint16(host.BlkioWeight), // config allows at most 1000
		CgroupParent:     host.CgroupParent,
	}
}
