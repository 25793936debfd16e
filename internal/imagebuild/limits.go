package imagebuild

import (
	"context"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/host"
)

// Limits are what build containers get. None of it changes what comes out of a build.
type Limits struct {
	Memory  int64   // bytes, swap included; 0: no limit
	CPUs    float64 // 0: no limit
	Pids    int64   // 0: the engine's default
	Network string  // empty: the engine's default
	NoInit  bool    // the engine has no init

	// HostNetwork says whether the chaincodes of this peer are on the host's network, where no Network is set. A build
	// that runs nobody's code may then be there, too: on engine 20.10 a network of its own takes 150 ms to make and to
	// take away. Nil: they are not.
	HostNetwork func(context.Context) bool
}

// LimitsOf are the operator's.
func LimitsOf(settings config.Settings) Limits {
	from := settings.Builder.Build
	limits := Limits{Memory: from.Memory, CPUs: from.CPUs, Pids: from.Pids, Network: from.Network, NoInit: !settings.Builder.Security.Init}
	if from.Network == "" {
		limits.HostNetwork = func(ctx context.Context) bool { return onHostNetwork(ctx, settings) }
	}
	return limits
}

// onHostNetwork says whether chaincodes get the host's network without asking the engine: it is set, or it follows from
// a peer that runs on the engine's host itself.
func onHostNetwork(ctx context.Context, settings config.Settings) bool {
	if mode := settings.VM.Docker.HostConfig.NetworkMode; mode != "" || len(settings.Builder.Networks) > 0 {
		return mode == hostNetwork
	}
	container, err := host.ReadContainer(host.Mountinfo)
	return err == nil && len(container.IDs) == 0 && host.EngineIsLocal(ctx, settings.VM.Endpoint)
}

// hostNetwork is the network of the engine's machine.
const hostNetwork = "host"
