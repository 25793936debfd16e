// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"fmt"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/inventory"
)

// pruned is the answer of build --prune --json.
type pruned struct {
	Items []inventory.Item `json:"items"`
	Notes []string         `json:"notes"`
}

// Prune shows what no given peer needs any more, and removes it if the operator has said so. Its arguments are directories in
// which peers keep builds.
func Prune(ctx context.Context, process cli.Process) error {
	rules, err := rulesOf(process)
	if err != nil {
		return err
	}
	settings, connected, err := connect(ctx, &process)
	if err != nil {
		return err
	}
	defer connected.Close()
	rules.BuildTimeout = settings.Builder.BuildTimeout
	directories := buildsDirs(process)
	state, err := inventory.Gather(ctx, connected, directories, true)
	if err != nil {
		return err
	}
	items := inventory.Examine(state, rules)
	if err := showPlan(process, state, items); err != nil {
		return err
	}
	if _, yes := process.Flags["--yes"]; !yes {
		process.Log.Info("nothing was removed: --yes removes what is listed")
		return nil
	}
	r := removal{process: process}
	if err := inventory.Prune(ctx, connected, directories, rules, items, r.report); err != nil {
		return fmt.Errorf("removing, after %d objects were removed: %w", r.removed, err)
	}
	process.Log.Info("removed", "objects", r.removed, "in_use", r.inUse, "failed", r.failed)
	if r.failed > 0 {
		return fmt.Errorf("%d objects could not be removed, see above", r.failed)
	}
	return nil
}

func showPlan(process cli.Process, state inventory.State, items []inventory.Item) error {
	notes := inventory.Notes(state, items)
	if _, asJSON := process.Flags["--json"]; asJSON {
		return inventory.JSON(process.Stdout, pruned{items, notes})
	}
	return inventory.Plan(process.Stdout, items, notes, state.Now)
}

// rulesOf reads the options.
func rulesOf(process cli.Process) (rules inventory.Rules, err error) {
	if text, ok := process.Flags["--older-than"]; ok {
		if rules.OlderThan, err = inventory.ParseAge(text); err != nil {
			return rules, fmt.Errorf("option --older-than: %w", err)
		}
	}
	if text, ok := process.Flags["--keep-size"]; ok {
		size, err := inventory.ParseSize(text)
		if err != nil {
			return rules, fmt.Errorf("option --keep-size: %w", err)
		}
		rules.KeepSize = &size
	}
	return rules, nil
}

// removal counts what was removed.
type removal struct {
	process                cli.Process
	removed, inUse, failed int
}

func (r *removal) report(item inventory.Item, err error) {
	switch {
	case err == nil:
		r.removed++
	case inventory.IsInUse(err):
		r.inUse++
		r.process.Log.Info("kept: it has come into use", item.What, item.Title(), "reason", err)
	default:
		r.failed++
		r.process.Log.Warn("cannot remove", item.What, item.Title(), "reason", err)
	}
}
