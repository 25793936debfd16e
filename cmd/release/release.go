package main

import (
	"context"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/metadata"
)

func release(_ context.Context, process cli.Process) error {
	outputDir, releaseDir := process.Args[0], process.Args[1]
	if err := metadata.CheckDir("output", outputDir); err != nil {
		return err
	}
	return metadata.Release(outputDir, releaseDir)
}
