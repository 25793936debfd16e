// SPDX-License-Identifier: Apache-2.0

// detect SOURCE_DIR METADATA_DIR accepts the packages that this builder handles.
package main

import (
	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/detect"
)

func main() {
	cli.Program{
		Name:      "detect",
		Arguments: []string{"SOURCE_DIR", "METADATA_DIR"},
		Summary:   "Accepts a chaincode package whose type in METADATA_DIR/metadata.json this builder handles.",
		Details: `The types are golang, node, java, docker, k8s, ccaas and external, unless builder.types lists fewer.
Types in metadata.json are case-insensitive. No container engine is contacted.

Exit status: 0 accepted; 1 not accepted, with a message only if metadata.json or builder.types is invalid; 2 wrong usage.`,
	}.Main(detect.Run)
}
