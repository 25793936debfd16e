// run OUTPUT_DIR RUN_METADATA_DIR starts a chaincode's container and ends with it.
package main

import (
	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/launch"
)

func main() {
	cli.Program{
		Name:      "run",
		Arguments: []string{"OUTPUT_DIR", "RUN_METADATA_DIR"},
		Summary:   "Starts the container of a chaincode that build has made, hands on what it prints, and ends with it.",
		Details: `SIGTERM and SIGINT stop the chaincode (builder.stopGrace, 2 s) and remove its container.
An older container of the same chaincode of the same peer is removed first; a later run of it takes over from this one.

Settings come from the peer's core.yaml, config.yaml beside bin/ and CORE_ variables; see docs/configuration.md. The engine is
vm.endpoint, else DOCKER_HOST, else /var/run/docker.sock, else /host/var/run/docker.sock.

Exit status: the chaincode's own; 143 when told to stop before it was started, 1 when it could not be started, 2 wrong usage.`,
	}.Main(launch.Run)
}
