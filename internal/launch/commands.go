// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"fmt"
	"time"

	"fabric-builder-docker/internal/check"
	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/engine"
	"fabric-builder-docker/internal/inventory"
)

// Commands returns the commands of run that operators call.
func Commands() []cli.Command {
	load := func(dir string, environ []string) (config.Settings, error) {
		return config.LoadBuilt(dir, environ, config.Fabric{})
	}
	return append([]cli.Command{{
		Option: "--list", Arguments: "[--json]", Flags: []cli.Flag{{Name: "--json"}}, Phase: list,
		Summary: "show the chaincodes on this engine: package, MSP, peer, since when, state, memory and\n" +
			"CPU now, networks and image. What an ungraceful end has left is marked",
	}}, check.Commands(load, false)...)
}

// list shows the chaincodes on the engine.
func list(ctx context.Context, process cli.Process) error {
	if len(process.Args) > 0 {
		return fmt.Errorf("unexpected argument %q: run --list takes none but --json", process.Args[0])
	}
	settings, err := config.LoadBuilt(process.Home, config.PassedOnOrAll(process.Home, process.Environ), config.Fabric{})
	if err != nil {
		return err
	}
	process.Configure(settings.Builder.Log.Level, settings.Builder.Log.Format)
	connected, err := engine.Connect(ctx, settings)
	if err != nil {
		return err
	}
	defer connected.Close()
	runs, err := inventory.Runs(ctx, connected)
	if err != nil {
		return err
	}
	if _, asJSON := process.Flags["--json"]; asJSON {
		return inventory.JSON(process.Stdout, runs)
	}
	return inventory.Table(process.Stdout, inventory.RunTable(runs, time.Now()))
}
