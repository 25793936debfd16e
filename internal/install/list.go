// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/engine"
	"fabric-builder-docker/internal/inventory"
)

// List shows what this project has made on the engine. Its arguments are directories in which peers keep builds.
func List(ctx context.Context, process cli.Process) error {
	settings, connected, err := connect(ctx, &process)
	if err != nil {
		return err
	}
	defer connected.Close()
	state, err := inventory.Gather(ctx, connected, buildsDirs(process), true)
	if err != nil {
		return err
	}
	items := inventory.Examine(state, inventory.Rules{BuildTimeout: settings.Builder.BuildTimeout})
	for i := range items {
		items[i].Keep, items[i].Remove = "", ""
	}
	for _, unread := range state.Unread {
		process.Log.Warn("cannot read a build", "reason", unread)
	}
	if _, asJSON := process.Flags["--json"]; asJSON {
		return inventory.JSON(process.Stdout, items)
	}
	return inventory.List(process.Stdout, items, state.Now)
}

// connect connects to the engine that the settings name.
func connect(ctx context.Context, process *cli.Process) (config.Settings, *docker.Engine, error) {
	settings, err := config.Load(process.Home, config.PassedOnOrAll(process.Home, process.Environ))
	if err != nil {
		return config.Settings{}, nil, err
	}
	configureLog(process, settings)
	connected, err := engine.Connect(ctx, settings)
	return settings, connected, err
}

// buildsDirs returns the directories that were given, or else that of the peer beside which the program was called, if it is
// there.
func buildsDirs(process cli.Process) []string {
	if len(process.Args) > 0 {
		return process.Args
	}
	if own := config.BuildsDir(process.Environ); own != "" {
		return []string{own}
	}
	return nil
}
