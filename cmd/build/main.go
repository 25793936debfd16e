// build SOURCE_DIR METADATA_DIR OUTPUT_DIR makes the image of a chaincode package.
package main

import (
	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/install"
)

func main() {
	cli.Program{
		Name:      "build",
		Arguments: []string{"SOURCE_DIR", "METADATA_DIR", "OUTPUT_DIR"},
		Summary:   "Builds a chaincode package on a container engine and leaves in OUTPUT_DIR what release and run need.",
		Details: `The image is named by its content: the same package is built once per engine, whoever asks for it.
What the build prints appears on stderr as it is printed, each line with the package's label. Of a package with
image.json the image is pulled, of one with connection.json the templates are filled in; no engine is asked then.

Settings come from the peer's core.yaml, config.yaml beside bin/ and CORE_ variables; see docs/configuration.md. The engine is
vm.endpoint, else DOCKER_HOST, else /var/run/docker.sock, else /host/var/run/docker.sock.

Exit status: 0 done, 1 failed, 2 wrong usage.`,
		Also: []cli.Other{{
			Option: "--warm", Arguments: "[PACKAGE.tar.gz ...]", Phase: install.Warm,
			Summary: "do ahead of time what first installs take longest for: pull base images, compile Go's\n" +
				"standard library, install or compile the dependencies of these packages",
		}},
	}.Main(install.Build)
}
