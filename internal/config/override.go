// SPDX-License-Identifier: Apache-2.0

package config

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Subject is the package that settings are for. Its label is the package's own choice. Its id is not: it holds the SHA-256 of
// the package.
type Subject struct {
	Label string
	ID    string // LABEL:HASH; empty: not known
}

// For returns the settings for a package. All overrides that match it are applied, in order.
func (s Settings) For(subject Subject) Settings {
	for i, override := range s.Builder.Overrides {
		if override.matches(subject) {
			s = s.with(override)
			s.Debugging = s.Debugging.with(fmt.Sprintf("builder.overrides[%d]", i), override.Debug)
		}
	}
	return s
}

// matches reports whether all that an override names matches the package. An id that is not known matches nothing, not even *.
func (o Override) matches(subject Subject) bool {
	return (o.Label == "" || match(o.Label, subject.Label)) &&
		(o.PackageID == "" || subject.ID != "" && match(o.PackageID, subject.ID))
}

// match reports whether text matches a pattern. check has already refused malformed ones.
func match(pattern, text string) bool {
	matches, _ := path.Match(pattern, text)
	return matches
}

// UndecidedImages returns the package ids of the overrides that might set the images of a package whose id is not known.
func (s Settings) UndecidedImages(subject Subject) []string {
	var undecided []string
	for _, o := range s.Builder.Overrides {
		label, _, _ := strings.Cut(o.PackageID, ":")
		matching := Override{Label: o.Label}.matches(subject) && match(label, subject.Label)
		if o.PackageID != "" && subject.ID == "" && o.Images != (OverrideImages{}) && matching {
			undecided = append(undecided, o.PackageID)
		}
	}
	return undecided
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
	host.CapAdd = slices.Concat(host.CapAdd, o.CapAdd)
	s.Builder.Security.KeyReader = cmp.Or(o.KeyReader, s.Builder.Security.KeyReader)
	s.Builder.Environment = s.Builder.Environment.With(o.Environment...)
	if level := o.Debug.LogLevel; level != "" {
		s.Chaincode.Logging.Level, s.Chaincode.Logging.Shim = peerLevels[level], peerLevels[level]
	}
	return s
}
