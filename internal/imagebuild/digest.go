// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"strconv"

	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/platform"
)

// recipe is the version of all code here and in platform that can change the result of a build. Raise it when you change
// such code, so that images and caches of older programs are not used.
const recipe = 5

// contentDigest returns a digest of everything that can change the result of a build, as 64 hex digits. docs/images.md lists
// the inputs. META-INF and the label are not among them, so an upgrade that changes nothing else needs no build.
func contentDigest(plan platform.Plan, pkg *content.Package, builder, runtime docker.Image) string {
	digest := newDigest(plan, pkg)
	digest.Add("command", plan.Command...) // includes the path in metadata.json
	if plan.WithC != nil {
		digest.Add("command with C", plan.WithC.Command...)
		digest.Add("command of its base", plan.WithC.Base.Command...)
		if plan.WithC.Modules != nil {
			digest.Add("command of its modules", plan.WithC.Modules.Command...)
		}
	}
	digest.Add("target", plan.Target)
	digest.Add("level", plan.FabricVersion)
	addBase(digest, "builder", builder)
	addBase(digest, "runtime", runtime)
	return digest.Sum()
}

// dockerfileDigest returns a digest of what is known here about the result of a Dockerfile, which excludes its base images.
func dockerfileDigest(plan platform.Plan, context *content.Package) string {
	return newDigest(plan, context).Sum()
}

func newDigest(plan platform.Plan, pkg *content.Package) content.Digest {
	digest := content.NewDigest()
	digest.Add("recipe", strconv.Itoa(recipe))
	digest.Add("type", plan.Type)
	digest.Add("settings", plan.DigestInputs...)
	digest.Add("rooted", strconv.FormatBool(plan.CodeAtRoot))
	digest.AddFiles("files", pkg.Files)
	return digest
}

// addBase adds the properties of a base image that can change the result. It leaves out the image ID, because that differs
// between image stores.
func addBase(digest content.Digest, name string, image docker.Image) {
	digest.Add(name+" platform", image.Platform)
	digest.Add(name+" layers", image.Layers...)
	digest.Add(name+" user", image.User)
	digest.Add(name+" environment", image.Env...)
	digest.Add(name+" entrypoint", image.Entrypoint...)
	digest.Add(name+" working directory", image.WorkingDir)
	digest.Add(name+" volumes", image.Volumes...)
	digest.Add(name+" stop signal", image.StopSignal)
}

// cacheKey returns the same key only for builds that may share a cache: those with the same builder image and environment.
func cacheKey(builder docker.Image, environment []string) string {
	digest := content.NewDigest()
	addBase(digest, "builder", builder)
	digest.Add("given", environment...)
	digest.Add("recipe", strconv.Itoa(recipe)) // caches filled by an older recipe are not trusted
	return digest.Sum()[:16]
}
