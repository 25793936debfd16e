// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/platform"
	"fabric-builder-docker/internal/regular"
)

// checkFiles looks at the files and directories that settings name.
func (c *checker) checkFiles() {
	b := c.settings.Builder
	if err := platform.CheckGiven(c.settings); err != nil {
		c.fail("files", err.Error(), "create the file, correct its name, or take it out; every build fails with this error")
	}
	if file := b.Registry.Config; file != "" {
		if opened, err := regular.Open(file); err != nil {
			c.fail("files", fmt.Sprintf("reading builder.registry.config: %v", err), "correct it; base images cannot be pulled with this error")
		} else {
			opened.Close()
		}
	}
	if dir := b.Metrics.Directory; dir != "" && !isDir(dir) {
		c.note("files", "%s (builder.metrics.directory) is no directory, so no figures are kept: create it, writable for the peer's user", dir)
	}
}

// checkOtherNetworks checks the networks of builds and of overrides.
func (c *checker) checkOtherNetworks(ctx context.Context) {
	named := map[string]string{"builder.build.network": c.settings.Builder.Build.Network}
	for i, override := range c.settings.Builder.Overrides {
		named[fmt.Sprintf("builder.overrides[%d].network", i)] = override.Network
	}
	for _, setting := range slices.Sorted(maps.Keys(named)) {
		name := named[setting]
		if name == "" || !docker.IsNetwork(name) {
			continue
		}
		if missing, err := c.engine.MissingNetworks(ctx, []string{name}); err == nil && len(missing) > 0 {
			known, _ := c.engine.Networks(ctx)
			c.fail("network", fmt.Sprintf("the engine has no network %s (%s), only %s", name, setting, strings.Join(known, ", ")), "create it, or correct the setting")
		}
	}
}

// isNoSocket reports whether a path is not a socket, as when a directory was mounted in place of one that was not there yet.
func (c *checker) isNoSocket(info os.FileInfo, path string) bool {
	if info.Mode()&os.ModeSocket != 0 {
		return false
	}
	c.fail("socket", path+" is not a socket", "correct vm.endpoint or DOCKER_HOST; Docker makes a directory of what a mount does not find: start the engine before the peer's container")
	return true
}
