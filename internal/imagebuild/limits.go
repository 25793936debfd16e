package imagebuild

import "fabric-builder-docker/internal/config"

// Limits are what build containers get. None of it changes what comes out of a build.
type Limits struct {
	Memory  int64   // bytes, swap included; 0: no limit
	CPUs    float64 // 0: no limit
	Pids    int64   // 0: the engine's default
	Network string  // empty: the engine's default
	NoInit  bool    // the engine has no init
}

// LimitsOf are the operator's.
func LimitsOf(settings config.Settings) Limits {
	from := settings.Builder.Build
	return Limits{Memory: from.Memory, CPUs: from.CPUs, Pids: from.Pids, Network: from.Network, NoInit: !settings.Builder.Security.Init}
}
