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

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/loglines"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

const (
	recipeFile = "Dockerfile"
	ignoreFile = ".dockerignore"
)

// dockerfile has the engine build the image of a package with a Dockerfile, unless the image exists. There is no lock: the
// engine shares steps between builds of the same content, and the image of the first to finish is used. Only the engine
// knows the base images, so they are not in the digest, and a newer base image does not cause a rebuild.
func (b *Builder) dockerfile(ctx context.Context, plan platform.Plan, pkg *content.Package, label string) (Image, error) {
	pkg, err := buildContext(plan, pkg)
	if err != nil {
		return Image{}, fmt.Errorf("reading the package: %w", err)
	}
	name := metadata.ImageName(b.Prefix, plan.Type, dockerfileDigest(plan, pkg))
	found, err := b.Engine.Image(ctx, name)
	switch {
	case err == nil:
		b.Log.Info("the image exists already", "image", name)
	case errors.Is(err, docker.ErrNoImage):
		if err := b.buildDockerfile(ctx, plan, pkg, name, label); err != nil {
			return Image{}, err
		}
		if found, err = b.Engine.Image(ctx, name); err != nil {
			return Image{}, err
		}
	default:
		return Image{}, err
	}
	if len(found.Entrypoint)+len(found.Command) == 0 {
		return Image{}, errors.New("the package's Dockerfile has neither ENTRYPOINT nor CMD: its image has nothing to start")
	}
	user, err := b.images().User(ctx, found)
	return Image{Name: name, ID: found.ID, User: user}, err
}

// buildDockerfile has the engine build the image. If several builders build the same content at the same time, some engines
// tell only one of them which step failed and what it printed. The others retry, and the engine runs the failed step again.
func (b *Builder) buildDockerfile(ctx context.Context, plan platform.Plan, pkg *content.Package, name, label string) error {
	b.Log.Info("building", "type", plan.Type, "image", name)
	var failed *docker.BuildError
	for attempt := 1; ; attempt++ {
		made := name + "-" + metadata.RandomID()
		err := b.tryDockerfile(ctx, plan, pkg, made, label)
		switch {
		case err == nil:
			return b.rename(ctx, made, name)
		case !errors.As(err, &failed):
			return err
		case !failed.StepUnknown:
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

func (b *Builder) tryDockerfile(ctx context.Context, plan platform.Plan, pkg *content.Package, name, label string) error {
	build := docker.Build{
		Name: name, Args: pairs(plan.BuildArgs),
		CacheNamespace: name, // random, so that no other build reads what this package's steps leave in a cache mount
		Labels:         map[string]string{metadata.LabelKind: metadata.KindChaincode, metadata.LabelChaincodeType: strings.ToUpper(plan.Type)},
		Pull:           b.Pulls.Policy == config.PullAlways,
		Network:        b.Limits.Network, Memory: b.Limits.Memory,
	}
	output := loglines.NewWriter(b.output(), (&job{label: label}).linePrefix())
	err := pipe(
		func(w io.Writer) error { return pkg.WriteTar(w, content.Layout{Dir: "/"}) },
		func(r io.Reader) error {
			build.Context = r
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
