// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"fabric-builder-docker/internal/baseimage"
	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/dockerfile"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// readRecipe returns the text of the Dockerfile, and whether it differs from the one in the package.
func (b *Builder) readRecipe(plan platform.Plan, pkg *content.Package) (text []byte, changed bool, err error) {
	text, err = metadata.ReadFile(pkg.FS, path.Join(codeDir(plan), recipeFile))
	if err != nil {
		return nil, false, fmt.Errorf("reading the package: %w", err)
	}
	return b.allowSyntax(text)
}

// allowSyntax returns a Dockerfile that names only frontends that the operator allows: a frontend is a program of the engine
// that decides what a Dockerfile means, and the engine pulls it from where the package says.
func (b *Builder) allowSyntax(text []byte) (allowed []byte, changed bool, err error) {
	var official []string
	for _, frontend := range dockerfile.Syntax(text) {
		switch {
		case matchesImage(b.Dockerfiles.Syntax, frontend):
		case isOfficialFrontend(frontend):
			official = append(official, frontend)
		default:
			return nil, false, fmt.Errorf("the Dockerfile asks for the frontend %q: "+
				"remove its syntax directive, or add the frontend to builder.dockerfile.syntax", frontend)
		}
	}
	if len(official) == 0 {
		return text, false, nil
	}
	text = dockerfile.WithoutSyntax(text)
	if left := dockerfile.Syntax(text); len(left) > 0 {
		return nil, false, fmt.Errorf("the Dockerfile asks for the frontend %q in an unusual form: "+
			"remove that, or add the frontend to builder.dockerfile.syntax", left[0])
	}
	b.Log.Info("building with the engine's own frontend instead of the one that the Dockerfile names, see builder.dockerfile.syntax",
		"frontend", official[0])
	return text, true, nil
}

// isOfficialFrontend reports whether a frontend is what engines have built in, in another version.
func isOfficialFrontend(name string) bool {
	named, err := reference.ParseNormalizedNamed(name)
	return err == nil && slices.Contains([]string{"docker.io/docker/dockerfile", "docker.io/docker/dockerfile-upstream"}, named.Name())
}

// matchesImage reports whether an image's name matches one of the patterns, in its short or its full form, with or without tag
// and digest.
func matchesImage(patterns []string, image string) bool {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return false
	}
	tagged := reference.TagNameOnly(named)
	forms := []string{tagged.String(), reference.FamiliarString(tagged), named.Name(), reference.FamiliarName(named)}
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		return slices.ContainsFunc(forms, func(form string) bool {
			matches, _ := path.Match(pattern, form)
			return matches
		})
	})
}

var errOwnImage = errors.New("it is the image of a chaincode, or of the dependencies of one: only other images can be used in a Dockerfile")

// prepareBases pulls the images that a Dockerfile uses, and returns an error if it may not use one of them.
func (b *Builder) prepareBases(ctx context.Context, r recipeBuild) error {
	options := dockerfile.Options{Args: r.plan.BuildArgs, Platform: r.engine.Platform, Podman: r.engine.Podman}
	uses, err := dockerfile.Read(r.text, options)
	if err != nil {
		return fmt.Errorf("reading the Dockerfile: %w", err)
	}
	triggers, err := b.ensureBases(ctx, uses)
	if err != nil {
		return err
	}
	more, err := dockerfile.ReadTriggers(triggers, options)
	if err != nil {
		return fmt.Errorf("reading a base image of the Dockerfile: %w", err)
	}
	if _, err = b.ensureBases(ctx, more); err != nil {
		return err
	}
	return b.checkSteps(r, uses, more)
}

// checkSteps returns an error if a step of a Dockerfile, or of its base images, reaches what is not the package's.
func (b *Builder) checkSteps(r recipeBuild, all ...dockerfile.Uses) error {
	for _, uses := range all {
		switch {
		case uses.Mounts && r.engine.Podman && !b.Dockerfiles.UnsafeMounts:
			return errors.New("the Dockerfile has a bind or cache mount, which on podman can reach files of other packages and of the host: " +
				"remove it, or set builder.dockerfile.unsafeMounts if you trust all packages")
		case uses.Remote != "" && !b.Dockerfiles.RemoteFiles:
			return fmt.Errorf("the Dockerfile adds %q, which the engine would download itself, even from addresses that only its machine reaches: "+
				"use COPY or RUN, or set builder.dockerfile.remoteFiles if you trust all packages", uses.Remote)
		}
	}
	return nil
}

// ensureBases pulls the images that a Dockerfile uses, and returns their ONBUILD instructions. None of the names may mean an
// image of a chaincode.
func (b *Builder) ensureBases(ctx context.Context, uses dockerfile.Uses) (triggers []string, err error) {
	for _, name := range uses.Names {
		if err := b.refuseOwn(ctx, name); err != nil {
			return nil, err
		}
	}
	for _, name := range uses.Images {
		if _, err := reference.ParseNormalizedNamed(name); err != nil {
			return nil, notAnImage(name, err)
		}
		found, err := b.basesFor(name).Ensure(ctx, "base", &platform.Image{Name: name})
		if err != nil {
			return nil, err
		}
		if isOwn(found) { // it has been pulled just now
			return nil, fmt.Errorf("the Dockerfile uses image %q: %w", name, errOwnImage)
		}
		triggers = append(triggers, found.OnBuild...)
	}
	return triggers, nil
}

// basesFor returns access to a base image of a Dockerfile. Only those that the operator has listed are pulled with credentials:
// otherwise a package could read every image that the operator may.
func (b *Builder) basesFor(name string) baseimage.Images {
	images := b.images()
	if !matchesImage(b.Dockerfiles.Bases, name) {
		images.Pulls = images.Pulls.WithoutCredentials("base images of Dockerfiles get none unless builder.dockerfile.bases lists them")
	}
	if strings.Contains(name, "@") { // the engine would not find it under the mirror's name
		images.Pulls.Mirror = ""
	}
	return images
}

// isOwnName reports whether a name ends like those of this builder's images: PREFIX/TYPE:DIGEST.
func (b *Builder) isOwnName(name string) bool {
	_, rest, found := strings.Cut(name, b.Prefix+"/")
	return found && digestTag.MatchString(rest)
}

var digestTag = regexp.MustCompile(`^[a-z-]+:[0-9a-f]{64}`)

// imageID matches a whole ID, which is no name.
var imageID = regexp.MustCompile(`^[0-9a-f]{64}$`)

// transport matches how podman names an image that is elsewhere: in an archive, in a directory, in other storage.
var transport = regexp.MustCompile(`^(containers-storage|dir|docker|docker-archive|docker-daemon|oci|oci-archive|ostree|sif|tarball):`)

func notAnImage(name string, err error) error {
	return fmt.Errorf("the Dockerfile uses %q, which is not the name of an image: %w", name, err)
}

// refuseOwn returns an error if a name means an image of a chaincode. An engine may take a name for an ID or the beginning of
// one, so the name is looked up as it is written, and as the name of an image.
func (b *Builder) refuseOwn(ctx context.Context, name string) error {
	forms := []string{name}
	named, err := reference.ParseNormalizedNamed(name)
	switch {
	case b.isOwnName(name): // it may be made any moment
		return fmt.Errorf("the Dockerfile uses image %q: %w", name, errOwnImage)
	case err == nil:
		tagged := reference.TagNameOnly(named)
		forms = append(forms, tagged.String(), "localhost/"+reference.FamiliarString(tagged)) // podman's name for local images
	case transport.MatchString(name):
		return notAnImage(name, err)
	case !imageID.MatchString(name): // no engine finds an image by it
		return nil
	}
	for _, form := range forms {
		found, err := b.Engine.Image(ctx, form)
		switch {
		case errors.Is(err, docker.ErrNoImage):
		case err != nil:
			return err
		case isOwn(found):
			return fmt.Errorf("the Dockerfile uses image %q: %w", name, errOwnImage)
		}
	}
	return nil
}

// isOwn reports whether an image belongs to this builder, or is a chaincode that a peer itself has built.
func isOwn(image docker.Image) bool {
	_, ours := image.Labels[metadata.LabelKind]
	_, chaincode := image.Labels[metadata.LabelChaincodeType]
	return ours || chaincode
}
