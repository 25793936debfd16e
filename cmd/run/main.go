// SPDX-License-Identifier: Apache-2.0

// run OUTPUT_DIR RUN_METADATA_DIR starts the container of a chaincode and exits when the container does.
package main

import (
	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/launch"
)

func main() {
	cli.Program{
		Name:      "run",
		Arguments: []string{"OUTPUT_DIR", "RUN_METADATA_DIR"},
		Summary:   "Starts the container of a chaincode, writes its output to stderr, and exits when the container does.",
		Details: `SIGTERM or SIGINT stops the chaincode, kills it after builder.stopGrace (2 s by default), and removes its container.
A second SIGINT ends run at once, and leaves the container.
An older container of the same chaincode and peer is removed first; a later run replaces this one in the same way.

Settings are read from the peer's core.yaml, config.yaml beside bin/ and CORE_ variables; see docs/configuration.md.
The engine is vm.endpoint, else DOCKER_HOST, else /var/run/docker.sock, else /host/var/run/docker.sock.

Exit status: that of the chaincode; 143 if stopped before the start, 1 if the start failed, 2 wrong usage.`,
		Commands: launch.Commands(),
	}.Main(launch.Run)
}
