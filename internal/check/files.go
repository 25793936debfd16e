// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"syscall"

	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/platform"
	"fabric-builder-docker/internal/registry"
)

// checkFiles looks at the files and directories that settings name.
func (c *checker) checkFiles() {
	b := c.settings.Builder
	if err := platform.CheckGiven(c.settings); err != nil {
		c.fail("files", err.Error(), "create the file, correct its name, or take it out; every build fails with this error")
	}
	if err := registry.Locate(b.Registry.Config, c.environ).Check(); err != nil {
		c.fail("files", err.Error(), "correct the file, or builder.registry.config, which names it; images are pulled without credentials with this error")
	}
	if dir := b.Metrics.Directory; dir != "" && !isDir(dir) {
		c.note("files", "%s (builder.metrics.directory) is no directory, so no figures are kept: create it, writable for the peer's user", dir)
	} else if dir != "" && !c.place.writable(dir) {
		c.note("files", "uid %d cannot write to %s (builder.metrics.directory), so no figures are kept: give it to the peer's user", os.Getuid(), dir)
	}
}

// isWritable reports whether this process's user may write to a directory.
func isWritable(dir string) bool { return syscall.Access(dir, 2) == nil } // W_OK

// checkOtherNetworks checks the networks of builds and of overrides.
func (c *checker) checkOtherNetworks(ctx context.Context) {
	named := map[string]string{"builder.build.network": c.settings.Builder.Build.Network}
	for i, override := range c.settings.Builder.Overrides {
		named[fmt.Sprintf("builder.overrides[%d].network", i)] = override.Network
	}
	for _, setting := range slices.Sorted(maps.Keys(named)) {
		if name := named[setting]; name != "" && docker.IsNetwork(name) {
			c.lacks(ctx, []string{name}, setting, "create it, or correct the setting")
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
