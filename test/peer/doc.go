// Package peer is a peer of the tests' own. It does with packages, with the
// four programs of an external builder and with chaincodes what Fabric's peer
// does, its traps included, and nothing else: no channels, no endorsement, no
// ledger but a map.
//
// Where Fabric's peer hangs, loses a handle or believes a half-copied
// directory, this one does too, because those are the situations the builder
// has to survive. What Fabric's peer only logs can be asked for here.
package peer
