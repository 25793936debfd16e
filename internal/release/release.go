// Package release is the phase that copies what a build left for the peer: state database indexes and, for chaincode as a
// service, connection.json. It links neither a container engine's client nor net/http.
package release

import (
	"context"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/metadata"
)

// Run copies from OUTPUT_DIR, the first argument, to RELEASE_DIR, the second.
func Run(_ context.Context, process cli.Process) error {
	outputDir, releaseDir := process.Args[0], process.Args[1]
	if err := metadata.CheckDir("output", outputDir); err != nil {
		return err
	}
	return metadata.Release(outputDir, releaseDir)
}
