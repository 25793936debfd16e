// SPDX-License-Identifier: Apache-2.0

package main

import "context"

// nodeCases are the builds of Node packages.
func (b *bench) nodeCases() []benchCase {
	const section = "Build, Node"
	add := func(name string, goal asked) *row {
		return b.report.add(row{section: section, name: name, unit: seconds, way: builtIn, asked: goal})
	}
	l := b.language(nodeSample, b.sources.plain(nodeSample), "nodekv")
	first := add("first install, no caches", asked{})
	again := b.report.add(row{section: section, name: "same package again", unit: seconds, way: builtIn, beside: first.beside, note: ofFirst})
	other := func(context.Context) (string, error) { return b.sources.nodeOther() }
	unlocked := func(context.Context) (string, error) { return b.sources.nodeUnlocked() }
	return []benchCase{
		l.firstCase("Node first", first),
		l.againCase("Node same package again", again),
		l.newCase("Node one line changed", "nodekv_1.1", add("one line changed, same lock file", asked{gain, 25}), as(l.dir)),
		l.newCase("Node dependency added", "nodekv_1.2", add("a dependency added", asked{}), b.sources.nodeWithDependency),
		l.newCase("Node another chaincode", "nodeother_1.0", add("another chaincode, same dependencies", asked{}), other),
		l.twoPeersCase("Node two peers", section, asked{cost, 1.1}),
		l.newCase("Node without a lock file", "unlocked_1.0", add("without a lock file", asked{}), unlocked),
	}
}
