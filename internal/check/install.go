// SPDX-License-Identifier: Apache-2.0

package check

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/metadata"
)

// checkPrograms looks for the four programs. The peer takes one that it cannot execute for a builder that refuses the package.
func (c *checker) checkPrograms() {
	dir, complete := filepath.Join(c.process.Home, "bin"), true
	for _, name := range []string{"detect", "build", "release", "run"} {
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			c.fail("programs", path+" is missing", "install all four programs there, of one version")
		case err != nil:
			c.fail("programs", fmt.Sprintf("looking for a program: %v", err), "let the peer's user enter the directory (chmod a+rx)")
		case !info.Mode().IsRegular():
			c.fail("programs", path+" is not a file", "install the program there")
		case info.Mode().Perm()&0o111 == 0:
			c.fail("programs", fmt.Sprintf("%s has no execute bit (its mode is %v)", path, info.Mode().Perm()), "chmod a+rx "+path)
		case syscall.Access(path, executable) != nil:
			c.fail("programs", fmt.Sprintf("%s cannot be executed by uid %d (its mode is %v)", path, os.Getuid(), info.Mode().Perm()),
				"chmod a+rx "+path+", and mount its file system without noexec")
		default:
			continue
		}
		complete = false
	}
	if complete {
		c.ok("programs", "detect, build, release and run in %s", dir)
	}
}

// executable is the mode of access(2) for a file that this user may execute.
const executable = 1

// checkSettings reads the settings, and shows where each was set. It returns false if they cannot be read.
func (c *checker) checkSettings() bool {
	home := c.process.Home
	environ, err := config.PassedOn(home, c.process.Environ)
	if err != nil {
		environ = c.process.Environ
		c.note("peer", "it is not known that a peer uses this builder (%v), so all variables of this process count", err)
	} else {
		where := "core.yaml"
		if config.Lookup(c.process.Environ, config.BuildersVariable) != "" {
			where = config.BuildersVariable
		}
		c.ok("peer", "%s names this builder, with the path %s", where, home)
	}
	c.environ = environ
	if c.settings, err = c.load(home, environ); err != nil {
		c.fail("settings", err.Error(), "correct it; every build and launch fails with this error")
		return false
	}
	log := c.settings.Builder.Log
	c.process.Configure(log.Level, log.Format)
	c.showSettings()
	c.findAddress()
	return true
}

func (c *checker) showSettings() {
	from := c.settings.Sources
	for _, path := range from.Unreadable {
		c.fail("settings", fmt.Sprintf("%s: permission denied for uid %d, so none of it counts", path, os.Getuid()), "let this user read it (chmod a+r "+path+")")
	}
	switch {
	case len(from.Files) > 0:
		c.ok("settings", "read from %s", strings.Join(from.Files, " and "))
	default:
		c.note("settings", "no file was found: no core.yaml in %s (set FABRIC_CFG_PATH), and no %s", config.CoreDirs(c.environ), filepath.Join(c.process.Home, config.File))
	}
	for _, set := range c.settings.Origins() {
		c.ok("setting", "%s is %s, from %s", set.Key, set.Value, set.Source)
	}
	for _, warning := range c.settings.Warnings {
		isShown := slices.ContainsFunc(from.Unreadable, func(path string) bool { return strings.HasPrefix(warning, path+": ") })
		if !isShown {
			c.note("settings", "%s", warning)
		}
	}
}

// findAddress finds the address that the peer gives to chaincodes, unless it is an argument.
func (c *checker) findAddress() {
	if c.address != "" {
		return
	}
	address, source, err := config.PeerAddress(c.process.Environ)
	if err != nil {
		c.fail("settings", err.Error(), "correct it; the peer does not start with it either")
		return
	}
	c.address, c.addressSource = address, source
}

// checkPeer shows the version of Fabric that base images are for.
func (c *checker) checkPeer() {
	origin, builder := c.settings.Fabric, c.settings.Builder
	switch {
	case !c.builds:
		c.note("fabric", "run takes the version of Fabric from each build; build --check shows that of the peer, the base images and the caches")
	case origin.Problem != "":
		c.fail("fabric", fmt.Sprintf("base images of Fabric %s, although the peer may have another version: %s", builder.FabricVersion, origin.Problem),
			"set builder.fabricVersion to what \"peer version\" prints")
	case origin.Source == "the default":
		c.note("fabric", "base images of Fabric %s, the default, since no peer was found: call build --check beside it (docker exec), or set builder.fabricVersion", builder.FabricVersion)
	default:
		c.ok("fabric", "base images of Fabric %s, namespace %s, from %s", builder.FabricVersion, builder.DockerNamespace, origin.Source)
	}
}

// checkOutputs checks directories that build has left: those that were given, otherwise those of the peer beside this program, as
// far as they are of this builder.
func (c *checker) checkOutputs() {
	given := len(c.outputs) > 0
	if dir := config.BuildsDir(c.process.Environ); !given && dir != "" {
		records, _ := filepath.Glob(filepath.Join(dir, "*", "bld", metadata.RecordFile))
		for _, record := range records {
			c.outputs = append(c.outputs, filepath.Dir(record))
		}
	}
	for i, dir := range c.outputs {
		if bld := filepath.Join(dir, "bld"); given && isDir(bld) {
			c.outputs[i] = bld
		}
		record, err := metadata.ReadRecord(c.outputs[i])
		if err != nil {
			c.fail("build", err.Error(), "")
			continue
		}
		c.ok("build", "%s is complete: %s, image %s", c.outputs[i], record.Label, record.Image)
	}
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
