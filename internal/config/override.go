package config

import "path"

// ForLabel returns the settings for the package with that label. All overrides that match the label are applied, in
// order.
func (s Settings) ForLabel(label string) Settings {
	for _, override := range s.Builder.Overrides {
		if matches, _ := path.Match(override.Label, label); matches { // check has already refused malformed patterns
			s = s.with(override)
		}
	}
	return s
}

// with returns the settings with one override applied.
func (s Settings) with(o Override) Settings {
	host := &s.VM.Docker.HostConfig
	if o.Images.Builder != "" {
		s.Chaincode.Builder = o.Images.Builder
	}
	if o.Images.Runtime != "" {
		s.Chaincode.Golang.Runtime, s.Chaincode.Java.Runtime, s.Chaincode.Node.Runtime = o.Images.Runtime, o.Images.Runtime, o.Images.Runtime
	}
	if o.Memory != nil {
		host.Memory, host.MemorySwap = *o.Memory, min(host.MemorySwap, 0) // a swap limit was meant for the other amount of memory
	}
	if o.CPUs != nil {
		s.Builder.CPUs, host.CpuPeriod, host.CpuQuota = *o.CPUs, 0, 0 // engines accept only one of the two
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
