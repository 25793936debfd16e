// SPDX-License-Identifier: Apache-2.0

// Package ours says what the tests, the demo and the benchmark make on an engine. The engine may be somebody's who uses this
// builder, too: what is theirs must not be mistaken for ours.
package ours

import (
	"slices"
	"strings"

	"fabric-builder-docker/internal/metadata"
)

const (
	// Prefix is the builder.prefix of tests and demo. Images, volumes and containers of builds begin with it.
	Prefix = "fabric-builder-docker-test"
	// BenchPrefix is the builder.prefix of the benchmark.
	BenchPrefix = "fabric-builder-docker-bench"
	// MSPID is the MSP ID of the test peer. No real network has it, so the label with it marks containers of chaincodes.
	MSPID = "FabricBuilderTestMSP"
)

// Made reports whether an object of an engine with these names and labels was made by the builder for one of ours.
func Made(names []string, labels map[string]string) bool {
	if labels[metadata.LabelMSPID] == MSPID {
		return true
	}
	return slices.ContainsFunc(names, func(name string) bool {
		name = strings.TrimPrefix(strings.TrimPrefix(name, "/"), "localhost/") // podman adds it to images
		return strings.HasPrefix(name, Prefix) || strings.HasPrefix(name, BenchPrefix)
	})
}
