// SPDX-License-Identifier: Apache-2.0

// release OUTPUT_DIR RELEASE_DIR copies state database indexes and, for chaincode as a service, connection.json to the peer.
package main

import (
	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/release"
)

func main() {
	cli.Program{
		Name:      "release",
		Arguments: []string{"OUTPUT_DIR", "RELEASE_DIR"},
		Summary:   "Copies state database indexes and, for chaincode as a service, connection.json to the peer.",
		Details: `OUTPUT_DIR/META-INF/statedb, if there is one, is copied to RELEASE_DIR/statedb, without hidden files. Every index must be a JSON object:
otherwise all invalid ones are reported and nothing is copied.
OUTPUT_DIR/connection.json, if there is one, is checked and copied to RELEASE_DIR/chaincode/server.
An OUTPUT_DIR that is not as build left it is an error. No container engine is contacted.

Exit status: 0 success, 1 failure, 2 wrong usage.`,
	}.Main(release.Run)
}
