package imagebuild

import (
	"strconv"

	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/platform"
)

// recipe is the version of everything here and in platform that changes what comes out of a build. Raise it with such a
// change, and no image of an older program is mistaken for one of this.
const recipe = 3

// contentDigest names the result of a build by everything that can change it, 64 hex digits; docs/images.md lists all of
// it. Neither META-INF nor the label is a part, so an upgrade that changes nothing else builds nothing.
func contentDigest(plan platform.Plan, pkg *content.Package, builder, runtime docker.Image) string {
	digest := newDigest(plan, pkg)
	digest.Add("command", plan.Command...) // holds the path of metadata.json
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

// dockerfileDigest names the result of a Dockerfile by all of it that is known here. Its base images are not.
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

// addBase adds what of a base image decides the result. The image's id is left out: it differs between image stores.
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

// cacheKey tells builds apart that must not share a cache: by their builder image and what they were given.
func cacheKey(builder docker.Image, given []string) string {
	digest := content.NewDigest()
	addBase(digest, "builder", builder)
	digest.Add("given", given...)
	digest.Add("recipe", strconv.Itoa(recipe)) // what an older recipe has left is not trusted
	return digest.Sum()[:16]
}
