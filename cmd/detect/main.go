// detect SOURCE_DIR METADATA_DIR claims the packages that this builder serves.
package main

import (
	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/detect"
)

func main() {
	cli.Program{
		Name:      "detect",
		Arguments: []string{"SOURCE_DIR", "METADATA_DIR"},
		Summary:   "Claims a chaincode package by the type in METADATA_DIR/metadata.json, in any case.",
		Details: `The types are golang, node, java, docker, k8s, ccaas and external, or those of builder.types.

Exit status: 0 claimed, 1 not ours (without a word) or metadata.json is missing or broken, 2 wrong usage.
No container engine is needed or asked.`,
	}.Main(detect.Run)
}
