package config

import "path"

// ForLabel is the settings for the chaincode of a package: all overrides that match its label are applied, later ones
// over earlier ones.
func (s Settings) ForLabel(label string) Settings {
	for _, override := range s.Builder.Overrides {
		if matches, _ := path.Match(override.Label, label); matches { // check has refused malformed patterns
			s = s.with(override)
		}
	}
	return s
}

func (s Settings) with(o Override) Settings {
	host := &s.VM.Docker.HostConfig
	if o.Images.Builder != "" {
		s.Chaincode.Builder = o.Images.Builder
	}
	if o.Images.Runtime != "" {
		s.Chaincode.Golang.Runtime, s.Chaincode.Java.Runtime, s.Chaincode.Node.Runtime = o.Images.Runtime, o.Images.Runtime, o.Images.Runtime
	}
	if o.Memory != nil {
		host.Memory, host.MemorySwap = *o.Memory, min(host.MemorySwap, 0) // swap for another amount of memory says nothing of this one
	}
	if o.CPUs != nil {
		s.Builder.CPUs, host.CpuPeriod, host.CpuQuota = *o.CPUs, 0, 0 // engines take the one or the other
	}
	if o.Pids != nil {
		s.Builder.Pids = *o.Pids
	}
	if o.Network != "" {
		host.NetworkMode, s.Builder.Networks = o.Network, nil
	}
	s.Builder.Environment = s.Builder.Environment.With(o.Environment...)
	return s
}
