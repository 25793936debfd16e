// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"fabric-builder-docker/test/baseimages"
	"fabric-builder-docker/test/ours"
)

const (
	// labelPrefix is the prefix of every label that the builder sets.
	labelPrefix = "fabric-builder-docker."
	// kindLabel holds the purpose of an object.
	kindLabel = labelPrefix + "kind"
)

// order is the order of removal: objects that use others come first.
var order = []string{container, network, volume, image}

// leftovers returns the new objects that should have been removed. On a shared engine, it returns only those that the builder
// has made for tests: somebody else's peers may use this builder meanwhile.
func leftovers(before, after state, alone bool) []object {
	var left []object
	for key, o := range after {
		if _, old := before[key]; !old && !stays(o) && (alone || labelled(o) && ours.Made(o.allNames(), o.labels)) {
			left = append(left, o)
		}
	}
	slices.SortFunc(left, func(a, b object) int {
		return cmp.Or(
			cmp.Compare(slices.Index(order, a.kind), slices.Index(order, b.kind)),
			cmp.Compare(a.String(), b.String()),
		)
	})
	return left
}

// stays reports whether an object is meant to outlive a run.
func stays(o object) bool {
	switch o.kind {
	case network:
		return slices.Contains([]string{"bridge", "host", "none"}, strings.Join(o.names, ","))
	case volume:
		return o.labels[kindLabel] == "cache"
	case image:
		return slices.Contains([]string{"chaincode", "snapshot", "base"}, o.labels[kindLabel]) ||
			slices.ContainsFunc(o.names, baseimages.Provided)
	default:
		return false
	}
}

func labelled(o object) bool {
	for key := range o.labels {
		if strings.HasPrefix(key, labelPrefix) {
			return true
		}
	}
	return false
}

// leftoversError returns an error that lists the leftovers, or nil if there are none.
func leftoversError(left []object) error {
	if len(left) == 0 {
		return nil
	}
	var list strings.Builder
	for _, o := range left {
		fmt.Fprintf(&list, "\n  %s", o)
	}
	return fmt.Errorf("checking what the command left on the engine: %d objects:%s", len(left), list.String())
}
