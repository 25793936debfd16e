package launch

import (
	"context"
	"errors"
	"fmt"
	"os"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/imagebuild"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// errImageGone says that the image of a build is not on the engine any more: an operator has pruned it.
var errImageGone = errors.New("the chaincode's image is gone from the engine")

// rebuilder makes the image of a chaincode again.
type rebuilder func(ctx context.Context) (imagebuild.Image, error)

// rebuildImage builds the image again. Several peers that do so at once share one build, as at an install. The record
// on disk stays as build wrote it: the image has the name that today's recipe and base images give it.
func (l *launch) rebuildImage(ctx context.Context) error {
	l.log.Warn("the image is gone from the engine: building it again", "chaincode_id", l.chaincode.ID, "image", l.record.Image)
	image, err := l.rebuild(ctx)
	if err != nil {
		return fmt.Errorf("%w, and building it again failed: %w", errImageGone, err)
	}
	l.record.Image, l.record.User = image.Name, image.User
	l.record.TLSByInput, l.record.Entrypoint = image.TLSByInput, image.Entrypoint
	return nil
}

// rebuildFrom builds from the source that build has kept in OUTPUT_DIR.
func rebuildFrom(process cli.Process, l *launch, engine imagebuild.Engine) rebuilder {
	return func(ctx context.Context) (imagebuild.Image, error) {
		dir, err := os.MkdirTemp("", "chaincode-source")
		if err != nil {
			return imagebuild.Image{}, fmt.Errorf("unpacking the source: %w", err)
		}
		defer os.RemoveAll(dir)
		if err := content.RestoreSource(l.outputDir, dir); err != nil {
			return imagebuild.Image{}, fmt.Errorf("%w; %s", err, metadata.RebuildHint(l.outputDir))
		}
		pkg := metadata.Package{Type: l.record.Type, Label: l.record.Label, Path: l.record.Path}
		source, err := content.Open(dir)
		if err != nil {
			return imagebuild.Image{}, err
		}
		defer source.Close()
		plan, err := platform.NewPlan(pkg, source, l.settings, process.Environ)
		if err != nil {
			return imagebuild.Image{}, err
		}
		builder := imagebuild.New(engine, l.settings, process)
		builder.Periods.Cleanup = removeTime // the peer has no patience with a run
		return builder.Build(ctx, plan, source, pkg.Label)
	}
}
