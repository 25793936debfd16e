// Package detect is the phase that says whether this builder handles a package. The peer runs it for every package, also
// those of other builders: it links neither a container engine's client nor net/http.
package detect

import (
	"context"
	"slices"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/metadata"
)

// notOurs ends detect silently: the peer logs every line of it, for every package of every other builder.
const notOurs = cli.Status(1)

// Run exits with 0 for a package of a type that this builder handles, silently with 1 for any other. METADATA_DIR is the
// second argument.
func Run(_ context.Context, process cli.Process) error {
	pkg, err := metadata.ReadPackage(process.Args[1])
	if err != nil {
		return err
	}
	if !slices.Contains(config.KnownTypes, pkg.Type) { // whatever the settings say, and however broken they are
		return notOurs
	}
	claimed, err := config.LoadTypes(process.Home, process.Environ)
	if err != nil {
		return err
	}
	if !slices.Contains(claimed, pkg.Type) {
		return notOurs
	}
	return pkg.CheckLabel()
}
