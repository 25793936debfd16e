// SPDX-License-Identifier: Apache-2.0

// build SOURCE_DIR METADATA_DIR OUTPUT_DIR builds the image of a chaincode package.
package main

import (
	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/install"
)

func main() {
	cli.Program{
		Name:      "build",
		Arguments: []string{"SOURCE_DIR", "METADATA_DIR", "OUTPUT_DIR"},
		Summary:   "Builds the image of a chaincode package on a container engine, and writes what release and run need to OUTPUT_DIR.",
		Details: `Images are named by their content, so each engine builds the same package only once, even for several peers.
stderr says what the build has done. If it fails, all of its output is shown, each line prefixed with the package's label;
with builder.build.output: all, it is shown as it arrives.
For a package with image.json, the image is pulled. For one with connection.json, the templates are rendered and no
engine is contacted.

Base images are those of the peer's own version of Fabric, which its executable tells, unless a setting names others.
Settings are read from the peer's core.yaml, config.yaml beside bin/ and CORE_ variables; see docs/configuration.md.
The engine is vm.endpoint, else DOCKER_HOST, else /var/run/docker.sock, else /host/var/run/docker.sock.

Exit status: 0 success, 1 failure, 2 wrong usage.`,
		Commands:   install.Commands(),
		StatusLine: install.StatusLine,
	}.Main(install.Build)
}
