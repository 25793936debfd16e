// release OUTPUT_DIR RELEASE_DIR hands the indexes of the state database, and the way to a service, to the peer.
package main

import (
	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/release"
)

func main() {
	cli.Program{
		Name:      "release",
		Arguments: []string{"OUTPUT_DIR", "RELEASE_DIR"},
		Summary:   "Copies META-INF/statedb of a build to RELEASE_DIR/statedb. A package without indexes is fine.",
		Details: `Every index must be a JSON object; all that are not are reported, and nothing is copied then.
The connection.json of a chaincode that runs as a service is checked and goes to RELEASE_DIR/chaincode/server.
Exit status: 0 done, 1 failed, 2 wrong usage. No container engine is needed or asked.`,
	}.Main(release.Run)
}
