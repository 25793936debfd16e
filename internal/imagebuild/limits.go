// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"slices"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/host"
	"fabric-builder-docker/internal/network"
)

// Limits holds the resources and the network that build containers may use. They do not change the result of a build.
type Limits struct {
	Memory  int64   // bytes, swap included; 0: no limit
	CPUs    float64 // 0: no limit
	Pids    int64   // 0: the engine's default
	Output  content.OutputLimits
	Network string // empty: the engine's default
	NoInit  bool   // the engine has no init

	Summarize bool // what a build prints, instead of showing it as it comes

	// HostNetwork reports whether the chaincodes of this peer use the host's network. A build that runs no code of a
	// package then uses it, too: on engine 20.10, a separate network namespace takes 150 ms. Nil if Network is set.
	HostNetwork func(context.Context) bool
}

// LimitsOf returns the limits in the operator's settings.
func LimitsOf(settings config.Settings) Limits {
	from := settings.Builder.Build
	limits := Limits{
		Memory: from.Memory, CPUs: from.CPUs, Pids: from.Pids, Output: content.OutputLimits{Bytes: from.OutputSize, Files: from.OutputFiles},
		Network: from.Network, NoInit: !settings.Builder.Security.Init, Summarize: from.Output == config.OutputSummary,
	}
	if from.Network == "" {
		limits.HostNetwork = func(ctx context.Context) bool { return onHostNetwork(ctx, settings) }
	}
	return limits
}

// logOptions limits what the engine keeps of a build's output: 20 seconds of yes made a log of 1.6 GB. Builders read the output
// there as it is printed, so they lose none that comes more slowly than they read.
var logOptions = map[string]string{"max-size": "20m", "max-file": "5"}

// onHostNetwork reports, without contacting the engine, whether chaincodes use the host's network: because the settings say
// so, or because the peer itself runs on the engine's host.
func onHostNetwork(ctx context.Context, settings config.Settings) bool {
	chosen, err := network.Configured(settings.VM.Docker.HostConfig.NetworkMode, settings.Builder.Networks)
	if err != nil || len(chosen.Names) > 0 {
		return slices.Equal(chosen.Names, []string{hostNetwork})
	}
	container, err := host.ReadContainer(host.Mountinfo)
	return err == nil && len(container.IDs) == 0 && host.EngineIsLocal(ctx, settings.VM.Endpoint)
}

// hostNetwork is the network mode of a container that shares the network of the engine's host.
const hostNetwork = "host"

// noNetwork is the network mode of a container without a network.
const noNetwork = "none"
