package main

import (
	"context"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// notOurs ends detect silently: the peer logs every line of it, for every package of every other builder.
const notOurs = cli.Status(1)

func detect(_ context.Context, process cli.Process) error {
	pkg, err := metadata.ReadPackage(process.Args[1])
	if err != nil {
		return err
	}
	if !platform.Claims(pkg.Type) {
		return notOurs
	}
	return pkg.CheckLabel()
}
