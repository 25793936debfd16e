// SPDX-License-Identifier: Apache-2.0

// Package detect implements the detect phase: it decides whether this builder handles a package. The peer runs detect for
// every package, including those of other builders, so it links neither the Docker client nor net/http.
package detect

import (
	"context"
	"slices"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/metadata"
)

// notOurs ends detect silently, because the peer logs every line, also for packages of other builders.
const notOurs = cli.Status(1)

// Run returns nil if this builder handles the type of the package, and [cli.Status] 1 if it does not. Any other error means
// that metadata.json, builder.types or the label of a package for this builder is invalid. METADATA_DIR is the second
// argument; SOURCE_DIR, the first, is not read.
func Run(_ context.Context, process cli.Process) error {
	pkg, err := metadata.ReadPackage(process.Args[1])
	if err != nil {
		return err
	}
	if !slices.Contains(config.KnownTypes, pkg.Type) { // even if the settings are invalid
		return notOurs
	}
	handled, err := config.LoadTypes(process.Home, process.Environ)
	if err != nil {
		return err
	}
	if !slices.Contains(handled, pkg.Type) {
		return notOurs
	}
	return pkg.CheckLabel()
}
