package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"fabric-builder-docker/test/baseimages"
)

const (
	// ours begins the key of every label that the builder sets.
	ours = "fabric-builder-docker."
	// kindLabel says what an object is for.
	kindLabel = ours + "kind"
)

// order is that of removal: what uses others comes first.
var order = []string{container, network, volume, image}

// leftovers returns what is new and is not meant to stay. On an engine that
// others use too, only what has our labels can be ours.
func leftovers(before, after state, alone bool) []object {
	var left []object
	for key, o := range after {
		if _, old := before[key]; !old && !stays(o) && (alone || labelled(o)) {
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

// stays tells whether an object is meant to outlive a run.
func stays(o object) bool {
	switch o.kind {
	case network:
		return slices.Contains([]string{"bridge", "host", "none"}, strings.Join(o.names, ","))
	case volume:
		return o.labels[kindLabel] == "cache"
	case image:
		return slices.Contains([]string{"chaincode", "snapshot"}, o.labels[kindLabel]) ||
			slices.ContainsFunc(o.names, baseimages.Provided)
	default:
		return false
	}
}

func labelled(o object) bool {
	for key := range o.labels {
		if strings.HasPrefix(key, ours) {
			return true
		}
	}
	return false
}

// leftBehind makes an error of leftovers.
func leftBehind(left []object) error {
	if len(left) == 0 {
		return nil
	}
	var list strings.Builder
	for _, o := range left {
		fmt.Fprintf(&list, "\n  %s", o)
	}
	return fmt.Errorf("checking what the command left behind: %d too many:%s", len(left), list.String())
}
