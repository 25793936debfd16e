package imagebuild

import (
	"context"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/host"
)

// Limits are what build containers may use. None of it changes the result of a build.
type Limits struct {
	Memory  int64   // bytes, swap included; 0: no limit
	CPUs    float64 // 0: no limit
	Pids    int64   // 0: the engine's default
	Network string  // empty: the engine's default
	NoInit  bool    // the engine has no init

	// HostNetwork reports whether the chaincodes of this peer use the host's network, where no Network is set. A build
	// that runs none of a package's code may use it, too: on engine 20.10 a network namespace of its own costs 150 ms.
	// Nil: they do not.
	HostNetwork func(context.Context) bool
}

// LimitsOf returns the limits that the operator has set.
func LimitsOf(settings config.Settings) Limits {
	from := settings.Builder.Build
	limits := Limits{Memory: from.Memory, CPUs: from.CPUs, Pids: from.Pids, Network: from.Network, NoInit: !settings.Builder.Security.Init}
	if from.Network == "" {
		limits.HostNetwork = func(ctx context.Context) bool { return onHostNetwork(ctx, settings) }
	}
	return limits
}

// onHostNetwork reports, without asking the engine, whether chaincodes use the host's network: because it is set, or
// because the peer itself runs on the engine's host.
func onHostNetwork(ctx context.Context, settings config.Settings) bool {
	if mode := settings.VM.Docker.HostConfig.NetworkMode; mode != "" || len(settings.Builder.Networks) > 0 {
		return mode == hostNetwork
	}
	container, err := host.ReadContainer(host.Mountinfo)
	return err == nil && len(container.IDs) == 0 && host.EngineIsLocal(ctx, settings.VM.Endpoint)
}

// hostNetwork is the network of the engine's machine.
const hostNetwork = "host"

// noNetwork is no network at all.
const noNetwork = "none"
