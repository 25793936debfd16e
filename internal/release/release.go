// SPDX-License-Identifier: Apache-2.0

// Package release implements the release phase: it copies state database indexes and, for chaincode as a service,
// connection.json to the peer. It links neither the Docker client nor net/http.
package release

import (
	"context"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/metadata"
)

// Run copies the files from OUTPUT_DIR, the first argument, to RELEASE_DIR, the second. It copies nothing if one of them is
// invalid, or if OUTPUT_DIR is not as build left it.
func Run(_ context.Context, process cli.Process) error {
	outputDir, releaseDir := process.Args[0], process.Args[1]
	if record, err := metadata.ReadRecord(outputDir); err == nil {
		process.About("label", record.Label)
	}
	if err := metadata.CheckDir("output", outputDir); err != nil {
		return err
	}
	if _, err := metadata.ReadRecord(outputDir); err != nil {
		return err
	}
	return metadata.Release(outputDir, releaseDir)
}
