// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/figures"
	"fabric-builder-docker/internal/loglines"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

const (
	recipeFile = "Dockerfile"
	ignoreFile = ".dockerignore"
)

// dockerfile has the engine build the image of a package with a Dockerfile, unless the image exists. There is no lock: the
// engine shares steps between builds of the same content, and the image of the first to finish is used. Which base images the
// engine takes is for the engine to say, so they are not in the digest, and a newer base image does not cause a rebuild.
func (b *Builder) dockerfile(ctx context.Context, plan platform.Plan, pkg *content.Package, label string) (Image, error) {
	b.outcome = figures.Built
	text, changed, err := b.readRecipe(plan, pkg)
	if err != nil {
		return Image{}, err
	}
	if pkg, err = buildContext(plan, pkg); err != nil {
		return Image{}, fmt.Errorf("reading the package: %w", err)
	}
	if changed {
		pkg = pkg.With(recipeFile, string(text))
	}
	name := metadata.ImageName(b.Prefix, plan.Type, dockerfileDigest(plan, pkg))
	found, err := b.Engine.Image(ctx, name)
	switch {
	case err == nil && !b.anew:
		b.outcome = figures.Reused
		b.Log.Info("the image exists already", "image", name)
	case err == nil, errors.Is(err, docker.ErrNoImage):
		if err := b.buildDockerfile(ctx, recipeBuild{plan: plan, context: pkg, text: text, image: name, label: label}); err != nil {
			return Image{}, err
		}
		if found, err = b.Engine.Image(ctx, name); err != nil {
			return Image{}, err
		}
	default:
		return Image{}, err
	}
	if err := checkStartable(found); err != nil {
		return Image{}, err
	}
	user, err := b.images().User(ctx, found)
	return Image{Name: name, ID: found.ID, User: user}, err
}

// recipeBuild is the build of a Dockerfile by an engine.
type recipeBuild struct {
	plan    platform.Plan
	context *content.Package
	text    []byte // of the Dockerfile
	image   string // its name
	label   string
	engine  docker.Description
}

// buildDockerfile has the engine build the image. If several builders build the same content at the same time, BuildKit may
// tell only one of them which step failed and what it printed. The others retry, and the engine runs the failed step again.
// Podman shares no steps between builds, and always says all that it knows.
func (b *Builder) buildDockerfile(ctx context.Context, r recipeBuild) error {
	var err error
	if r.engine, err = b.Engine.Describe(ctx); err != nil {
		return err
	}
	if err := b.prepareBases(ctx, r); err != nil {
		return err
	}
	if r.engine.Podman && b.Limits.Network != "" {
		b.Log.Warn("podman may run the steps of a Dockerfile in the network of its host: it ignores builder.build.network", "network", b.Limits.Network)
	}
	b.Log.Info("building", "type", r.plan.Type, "image", r.image)
	var failed *docker.BuildError
	for attempt := 1; ; attempt++ {
		made := metadata.TemporaryName(r.image)
		err := b.tryDockerfile(ctx, r, made)
		switch {
		case err == nil && b.anew:
			return b.replaceBuilt(ctx, made, r.image)
		case err == nil:
			return b.rename(ctx, made, r.image)
		case !errors.As(err, &failed):
			return err
		case !failed.StepUnknown || r.engine.Podman:
			return fmt.Errorf("the build of the package's Dockerfile failed: %w; its output is above", failed)
		case attempt == maxAttempts || ctx.Err() != nil:
			return fmt.Errorf("the build of the package's Dockerfile failed: %w", failed)
		}
		b.Log.Info("build failed, but the engine did not say which step: retrying", "error", failed)
	}
}

// maxAttempts limits how often a build of a Dockerfile is tried while the engine does not say which step failed.
const maxAttempts = 3

// rename replaces the temporary name of an image that was built here. If another builder's image already has the final
// name, it only removes the temporary one: the other image may be in use, and must not lose its name.
func (b *Builder) rename(ctx context.Context, made, name string) error {
	_, err := b.Engine.Image(ctx, name)
	if errors.Is(err, docker.ErrNoImage) {
		err = b.Engine.Tag(ctx, made, name)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.cleanupLeft())
	defer cancel()
	return errors.Join(err, b.Engine.Untag(ctx, made))
}

// tryDockerfile has the engine build the image under the given name. The digest separates its cache mounts from those of all
// other packages: a builder of the same content finds them again, and nobody else reads or changes them.
func (b *Builder) tryDockerfile(ctx context.Context, r recipeBuild, made string) error {
	defer b.phases.enter(building)()
	build := docker.Build{
		Name: made, Args: pairs(r.plan.BuildArgs), CacheNamespace: r.image,
		Labels:  map[string]string{metadata.LabelKind: metadata.KindChaincode, metadata.LabelChaincodeType: strings.ToUpper(r.plan.Type)},
		NoCache: b.anew,
		Network: b.Limits.Network, Memory: b.Limits.Memory,
	}
	output := loglines.NewWriter(b.output(), linePrefix(r.label))
	err := pipe(
		func(w io.Writer) error { return r.context.WriteTar(w, content.Layout{Dir: "/"}) },
		func(reader io.Reader) error {
			build.Context = reader
			return b.Engine.Build(ctx, build, output)
		},
	)
	return errors.Join(err, output.Close())
}

// pairs converts KEY=VALUE variables to a map.
func pairs(list []string) map[string]string {
	m := map[string]string{}
	for _, pair := range list {
		key, value, _ := strings.Cut(pair, "=")
		m[key] = value
	}
	return m
}

// buildContext returns the build context: everything that .dockerignore does not exclude, and always the Dockerfile, because
// the engine reads it from the context.
func buildContext(plan platform.Plan, pkg *content.Package) (*content.Package, error) {
	root := codeDir(plan)
	ignored, err := readIgnore(pkg.FS, root)
	if err != nil {
		return nil, err
	}
	part := pkg.Sub(root).Only(func(f content.File) bool {
		excluded, matchErr := ignored.MatchesOrParentMatches(f.Path)
		if matchErr != nil {
			err = fmt.Errorf("%s: %w", ignoreFile, matchErr)
		}
		return !excluded || f.Path == recipeFile
	})
	return part, err // not in one statement: the order in which it would read err is unspecified
}

// readIgnore reads Dockerfile.dockerignore if there is one, otherwise .dockerignore.
func readIgnore(source fs.FS, root string) (*patternmatcher.PatternMatcher, error) {
	for _, name := range []string{recipeFile + ignoreFile, ignoreFile} {
		text, err := metadata.ReadFile(source, path.Join(root, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		patterns, err := ignorefile.ReadAll(bytes.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		matcher, err := patternmatcher.New(patterns)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return matcher, nil
	}
	return patternmatcher.New(nil)
}
