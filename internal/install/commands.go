// SPDX-License-Identifier: Apache-2.0

package install

import (
	"io"

	"fabric-builder-docker/internal/check"
	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/statusline"
)

// StatusLine returns the status line of a terminal, or nil if the output is none. Only build has one: the others write little, or
// are never called by people.
func StatusLine(out io.Writer, term string) cli.StatusLine {
	if line := statusline.New(out, term); line != nil {
		return line
	}
	return nil
}

// Commands returns the commands of build that operators call.
func Commands() []cli.Command {
	return append([]cli.Command{
		{
			Option: "--warm", Arguments: "[PACKAGE.tar.gz ...]", Phase: Warm,
			Summary: "fill the engine's caches ahead of the first install: pull base images, compile Go's\n" +
				"standard library, install or compile the dependencies of these packages",
		},
		{
			Option: "--anew", Arguments: "PACKAGE.tar.gz ...", Phase: Anew,
			Summary: "make the images of these packages anew, with newer versions of what they do not\n" +
				"pin; chaincodes use them from their next launch on. Call it beside the peer\n" +
				"(docker exec), so that it finds the images that the peer uses",
		},
		{
			Option: "--list", Arguments: "[--json] [BUILDS_DIR ...]", Flags: []cli.Flag{{Name: "--json"}}, Phase: List,
			Summary: "show what is on the engine: containers, images, caches, with sizes, ages, and what\n" +
				"refers to them. BUILDS_DIR is a peer's externalbuilder/builds; by default that of the\n" +
				"peer beside which it is called (docker exec)",
		},
		{
			Option: "--prune", Arguments: "[--yes] [--older-than AGE] [--keep-size SIZE] [--json] [BUILDS_DIR ...]", Phase: Prune,
			Flags: []cli.Flag{{Name: "--yes"}, {Name: "--older-than", Value: "AGE"}, {Name: "--keep-size", Value: "SIZE"}, {Name: "--json"}},
			Summary: "show what no peer of these BUILDS_DIRs needs any more, and why the rest stays; remove it\n" +
				"with --yes. --older-than (12h, 30d) keeps what is younger, and removes older caches as\n" +
				"well. --keep-size (20GB) removes the oldest first, and stops when no more than that is left",
		},
	}, check.Commands(config.Load, true)...)
}
