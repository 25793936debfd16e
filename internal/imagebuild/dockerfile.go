package imagebuild

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/loglines"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

const (
	recipeFile = "Dockerfile"
	ignoreFile = ".dockerignore"
)

// dockerfile makes sure of the image of a package that brings a Dockerfile. The engine builds it. There is no lock: two
// builders of the same content share the steps inside the engine, and the image of the first to be done is the one.
// Base images are the Dockerfile's own business, so they are no part of the digest, and a newer one is not noticed.
func (b *Builder) dockerfile(ctx context.Context, plan platform.Plan, source *os.Root, label string) (Image, error) {
	files, err := buildContext(plan, source)
	if err != nil {
		return Image{}, fmt.Errorf("reading the package: %w", err)
	}
	name := metadata.ImageName(b.Prefix, plan.Type, dockerfileDigest(plan, files))
	found, err := b.Engine.Image(ctx, name)
	switch {
	case err == nil:
		b.Log.Info("the image is there already", "image", name)
	case errdefs.IsNotFound(err):
		if err := b.buildDockerfile(ctx, plan, source, files, name, label); err != nil {
			return Image{}, err
		}
		if found, err = b.Engine.Image(ctx, name); err != nil {
			return Image{}, err
		}
	default:
		return Image{}, err
	}
	if len(found.Entrypoint)+len(found.Command) == 0 {
		return Image{}, errors.New("the package's Dockerfile has neither ENTRYPOINT nor CMD: there is nothing to start in its image")
	}
	user, err := b.userOf(ctx, name, found)
	return Image{Name: name, User: user}, err
}

// buildDockerfile has the engine build. Of several builders of the same content at the same moment, some engines tell
// one alone which step has failed and what it has printed. The others try again: a step that has failed is not kept.
func (b *Builder) buildDockerfile(ctx context.Context, plan platform.Plan, source *os.Root, files []file, name, label string) error {
	b.Log.Info("building", "type", plan.Type, "image", name)
	var failed *docker.BuildError
	for turn := 1; ; turn++ {
		made := name + "-" + metadata.NewInstallToken()
		err := b.tryDockerfile(ctx, plan, source, files, made, label)
		switch {
		case err == nil:
			return b.settleName(ctx, made, name)
		case !errors.As(err, &failed):
			return err
		case !failed.Untold:
			return fmt.Errorf("the build of the package's Dockerfile failed: %w; its output stands above", failed)
		case turn == maxTurns || ctx.Err() != nil:
			return fmt.Errorf("the build of the package's Dockerfile failed: %w", failed)
		}
		b.Log.Info("the build has failed without a word from its steps: trying again", "error", failed)
	}
}

// settleName gives the image that was made here the name of its content, unless another builder's has it: that one may
// run already, and would be left without a name.
func (b *Builder) settleName(ctx context.Context, made, name string) error {
	_, err := b.Engine.Image(ctx, name)
	if errdefs.IsNotFound(err) {
		err = b.Engine.Tag(ctx, made, name)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.Periods.Cleanup)
	defer cancel()
	return errors.Join(err, b.Engine.Untag(ctx, made))
}

func (b *Builder) tryDockerfile(ctx context.Context, plan platform.Plan, source *os.Root, files []file, name, label string) error {
	reader, writer := io.Pipe()
	packed := make(chan error, 1)
	go func() {
		err := packContext(plan, source, files, writer)
		writer.CloseWithError(err)
		packed <- err
	}()
	output := loglines.NewWriter(b.Stderr, (&job{label: label}).linePrefix())
	err := b.Engine.Build(ctx, docker.Build{
		Name: name, Context: reader, Args: pairs(plan.BuildArgs),
		Labels:  map[string]string{metadata.LabelKind: metadata.KindChaincode, metadata.LabelChaincodeType: strings.ToUpper(plan.Type)},
		Pull:    b.Pulls.Policy == config.PullAlways,
		Network: b.Limits.Network, Memory: b.Limits.Memory,
	}, output)
	reader.Close() // ends the packing when the engine has stopped reading
	if packErr := <-packed; packErr != nil && !errors.Is(packErr, io.ErrClosedPipe) {
		err = fmt.Errorf("packing the build context: %w", packErr)
	}
	return errors.Join(err, output.Close())
}

// pairs are KEY=VALUE as a map.
func pairs(list []string) map[string]string {
	m := map[string]string{}
	for _, pair := range list {
		key, value, _ := strings.Cut(pair, "=")
		m[key] = value
	}
	return m
}

// contextRoot is the directory of the package that the build sees.
func contextRoot(plan platform.Plan) string {
	if plan.Rooted {
		return "."
	}
	return "src"
}

// buildContext lists what the build sees, relative to the context's root: all but what .dockerignore leaves out. The
// Dockerfile is always there, since no other way leads it to the builder.
func buildContext(plan platform.Plan, source *os.Root) ([]file, error) {
	all, err := readPackage(source)
	if err != nil {
		return nil, err
	}
	root := contextRoot(plan)
	ignored, err := readIgnore(source, root)
	if err != nil {
		return nil, err
	}
	var files []file
	for _, f := range below(all, root) {
		out, err := ignored.MatchesOrParentMatches(f.Path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", ignoreFile, err)
		}
		if !out || f.Path == recipeFile {
			files = append(files, f)
		}
	}
	return files, nil
}

// readIgnore reads Dockerfile.dockerignore or, where there is none, .dockerignore.
func readIgnore(source *os.Root, root string) (*patternmatcher.PatternMatcher, error) {
	for _, name := range []string{recipeFile + ignoreFile, ignoreFile} {
		opened, err := source.Open(path.Join(root, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		defer opened.Close()
		patterns, err := ignorefile.ReadAll(opened)
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

// packContext writes the context as a tar. Nothing in it depends on who packs it, or when.
func packContext(plan platform.Plan, source *os.Root, files []file, w io.Writer) error {
	archive := tar.NewWriter(w)
	for _, dir := range directories(files) {
		if dir == "." {
			continue
		}
		if err := archive.WriteHeader(directory(dir, 0o755)); err != nil {
			return err
		}
	}
	for _, f := range files {
		name := f.Path
		f.Path = path.Join(contextRoot(plan), name)
		if err := packFile(archive, source, f, name); err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	return archive.Close()
}

// dockerfileDigest names the result of a build by all of it that is known here.
func dockerfileDigest(plan platform.Plan, files []file) string {
	data, err := json.Marshal(struct {
		Recipe   int
		Type     string
		Settings []string
		Files    []file
	}{recipe, plan.Type, plan.Settings, files})
	if err != nil {
		panic(err) // strings, numbers and booleans only
	}
	digest := sha256.Sum256(data)
	return hex.EncodeToString(digest[:])
}
