// SPDX-License-Identifier: Apache-2.0

package check

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fabric-builder-docker/internal/baseimage"
	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// cleanup limits the removal of a container.
const cleanup = 30 * time.Second

// images gives access to the images of the engine.
func (c *checker) images() baseimage.Images {
	return baseimage.Images{
		Engine: c.engine, Log: c.process.Log, Pulls: baseimage.PullsOf(c.settings, c.environ), Prefix: c.settings.Builder.Prefix,
		Cleanup: func() time.Duration { return cleanup },
	}
}

// baseImages lists the base images of the types that are built, and those of overrides, each once.
func (c *checker) baseImages() []platform.Image {
	from := c.settings.Chaincode
	var all []platform.Image
	for _, one := range []struct{ packageType, setting, name string }{
		{"golang", "chaincode.builder", from.Builder},
		{"golang", "chaincode.golang.runtime", from.Golang.Runtime},
		{"node", "chaincode.node.runtime", from.Node.Runtime},
		{"java", "chaincode.java.runtime", from.Java.Runtime},
	} {
		isKnown := slices.ContainsFunc(all, func(other platform.Image) bool { return other.Name == one.name })
		if slices.Contains(c.settings.Builder.Types, one.packageType) && !isKnown {
			all = append(all, platform.Image{Name: one.name, Setting: one.setting})
		}
	}
	for i, override := range c.settings.Builder.Overrides {
		for _, one := range []struct{ key, name string }{{"builder", override.Images.Builder}, {"runtime", override.Images.Runtime}} {
			isKnown := slices.ContainsFunc(all, func(other platform.Image) bool { return other.Name == one.name })
			if one.name != "" && !isKnown {
				all = append(all, platform.Image{Name: one.name, Setting: fmt.Sprintf("builder.overrides[%d].images.%s", i, one.key)})
			}
		}
	}
	return all
}

// checkImages checks base images, and the images of builds that were given.
func (c *checker) checkImages(ctx context.Context) {
	if c.builds {
		for _, image := range c.baseImages() {
			c.checkBaseImage(ctx, image)
		}
	}
	for _, dir := range c.outputs {
		if record, err := metadata.ReadRecordOnly(dir); err == nil && record.Image != "" {
			c.checkBuilt(ctx, dir, metadata.WithRebuilt(dir, record))
		}
	}
}

func (c *checker) checkBaseImage(ctx context.Context, image platform.Image) {
	if err := c.settings.CheckImage(image.Setting, image.Name); err != nil {
		c.fail("images", err.Error(), "")
		return
	}
	found, err := c.engine.Image(ctx, image.Name)
	policy, absent := c.settings.Builder.PullPolicy, image.Name+" is not on the engine"
	switch {
	case gone(ctx, err):
		return
	case err == nil:
		c.checkPlatform(image, "on the engine", []string{found.Platform})
		if policy != config.PullAlways || strings.Contains(image.Name, "@") {
			return
		}
		absent = fmt.Sprintf("each build pulls %s (builder.pullPolicy is %q)", image.Name, policy)
	case !errors.Is(err, docker.ErrNoImage):
		c.fail("images", err.Error(), lookAtLog)
		return
	case policy == config.PullNever:
		c.fail("images", fmt.Sprintf("%s, and builder.pullPolicy is %q", absent, policy), c.remedyForImage(image)+", or set builder.pullPolicy to \"missing\"")
		return
	}
	c.checkRegistry(ctx, image, absent)
}

// checkRegistry asks the image's registry, as a pull would, but does not pull it. The reason says why it must be there.
func (c *checker) checkRegistry(ctx context.Context, image platform.Image, reason string) {
	found, err := c.images().Pulls.Find(ctx, c.engine, image.Name)
	switch {
	case gone(ctx, err):
	case c.about.Podman && errors.Is(err, docker.ErrNotInRegistry):
		c.note("images", "%s, and podman before 6 cannot ask its registry without a pull: try podman pull %s", reason, image.Name)
	case err != nil && c.refused["GET /distribution/{name}/json"]:
		c.note("images", "%s; whether a registry has it is unknown, since a proxy refuses the call that asks", reason)
	case err != nil:
		c.fail("images", fmt.Sprintf("%s cannot be pulled: %v", image.Name, err),
			c.remedyForImage(image)+", correct the credentials (builder.registry.config), or name a mirror (builder.registry.mirror)")
	default:
		c.checkPlatform(image, "in registry "+found.From, found.Platforms)
	}
}

// checkPlatform checks whether an image is for the engine's machine.
func (c *checker) checkPlatform(image platform.Image, where string, platforms []string) {
	isFor := func(platform string) bool { return machineOf(platform) == machineOf(c.about.Platform) }
	known := strings.Join(platforms, ", ")
	if len(platforms) > 0 && c.about.Platform != "" && !slices.ContainsFunc(platforms, isFor) {
		c.fail("images", fmt.Sprintf("%s, %s, is for %s, and the engine's machine is %s", image.Name, where, known, c.about.Platform),
			"remove that image and pull or load one for the engine's machine, or set "+image.Setting)
		return
	}
	c.ok("images", "%s is %s, for %s", image.Name, where, known)
}

// machineOf returns the operating system and the architecture of a platform, without the variant.
func machineOf(platform string) string {
	parts := strings.SplitN(platform, "/", 3)
	return strings.Join(parts[:min(2, len(parts))], "/")
}

func (c *checker) remedyForImage(image platform.Image) string {
	return "load the image on the engine (docker load), set " + image.Setting + ", leave its type out of builder.types"
}

// checkBuilt checks the image of a build.
func (c *checker) checkBuilt(ctx context.Context, dir string, record metadata.Record) {
	_, err := c.engine.Image(ctx, record.Image)
	_, sourceErr := os.Stat(filepath.Join(dir, metadata.SourceFile))
	switch {
	case gone(ctx, err):
	case err == nil:
		c.ok("images", "%s of %s is on the engine", record.Image, record.Label)
	case !errors.Is(err, docker.ErrNoImage):
		c.fail("images", err.Error(), lookAtLog)
	case sourceErr == nil || strings.Contains(record.Image, "@"):
		c.note("images", "%s of %s is not on the engine: the next launch makes it again, which takes as long as an install", record.Image, record.Label)
	default:
		c.fail("images", fmt.Sprintf("%s of %s is not on the engine, and its source was not saved (builder.saveSource)", record.Image, record.Label),
			metadata.RebuildHint(dir))
	}
}

// anyImage returns an image that is on the engine and can be expected to hold a chaincode's user and network files: that of a
// build, or else a base image. It returns the zero value if there is none.
func (c *checker) anyImage(ctx context.Context) docker.Image {
	var names []string
	for _, dir := range c.outputs {
		if record, err := metadata.ReadRecordOnly(dir); err == nil {
			names = append(names, metadata.WithRebuilt(dir, record).Image)
		}
	}
	from := c.settings.Chaincode
	for _, name := range append(names, from.Golang.Runtime, from.Node.Runtime, from.Java.Runtime, from.Builder) {
		if found, err := c.engine.Image(ctx, name); err == nil {
			return found
		}
	}
	return docker.Image{}
}
