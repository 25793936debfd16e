package launch

import (
	"slices"
	"strings"

	"fabric-builder-docker/internal/docker"
)

// security is what the chaincode may do: by default next to nothing, and what the operator asks for, literally.
func (l *launch) security() docker.Security {
	host, ours := l.settings.VM.Docker.HostConfig, l.settings.Builder.Security
	return docker.Security{
		Capabilities:     host.CapAdd,
		KeepCapabilities: !ours.DropCapabilities,
		DropCapabilities: host.CapDrop,
		NewPrivileges:    !ours.NoNewPrivileges || slices.ContainsFunc(host.SecurityOpt, aboutNewPrivileges),
		SecurityOptions:  host.SecurityOpt,
		IPCMode:          host.IpcMode,
		PIDMode:          host.PidMode,
		UTSMode:          host.UTSMode,
	}
}

// aboutNewPrivileges finds no-new-privileges, no-new-privileges:false and no-new-privileges=false.
func aboutNewPrivileges(option string) bool { return strings.HasPrefix(option, "no-new-privileges") }

// resources is how much the chaincode may use.
func (l *launch) resources() docker.Resources {
	host, ours := l.settings.VM.Docker.HostConfig, l.settings.Builder
	return docker.Resources{
		Memory:           host.Memory,
		MemorySwap:       host.MemorySwap,
		MemorySwappiness: host.MemorySwappiness,
		OOMKillDisable:   host.OomKillDisable,
		Pids:             ours.Pids,
		CPUs:             ours.CPUs,
		CPUShares:        host.CpuShares,
		CPUPeriod:        host.CpuPeriod,
		CPUQuota:         host.CpuQuota,
		CPUSetCPUs:       host.CpusetCPUs,
		CPUSetMems:       host.CpusetMEMs,
		BlkioWeight:      uint16(host.BlkioWeight), // at most 1000, see config
		CgroupParent:     host.CgroupParent,
	}
}
