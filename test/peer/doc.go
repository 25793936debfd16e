// SPDX-License-Identifier: Apache-2.0

// Package peer is a peer for tests. It handles packages, the four programs of an external builder and chaincodes as
// Fabric's peer does, but without channels, endorsement or a ledger: its state is a map.
//
// Where Fabric's peer hangs, loses a handle or accepts a half-copied directory, this one does too, because the builder
// has to survive that. What Fabric's peer only logs, tests can query here.
package peer
