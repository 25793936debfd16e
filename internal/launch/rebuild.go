// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"fmt"
	"os"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/figures"
	"fabric-builder-docker/internal/imagebuild"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// recordedImage returns the image that build wrote into the record.
func (l *launch) recordedImage() imagebuild.Image {
	r := l.record
	return imagebuild.Image{Name: r.Image, ID: r.ImageID, User: r.User, TLSByInput: r.TLSByInput, Entrypoint: r.Entrypoint}
}

// rebuildImage builds the chaincode's image again and returns the new one, whose name may differ: it depends on the
// current recipe and base images. Later launches must find it without them, so it is noted beside the record.
func (l *launch) rebuildImage(ctx context.Context, gone imagebuild.Image) (imagebuild.Image, error) {
	l.log.Warn("the image is gone from the engine: building it again", "image", gone.Name,
		"fabric_version", l.settings.Builder.FabricVersion, "from", l.settings.Fabric.Source)
	image, err := l.rebuilder.rebuild(ctx, l.record)
	if err != nil {
		return imagebuild.Image{}, fmt.Errorf("the chaincode's image %q is gone from the engine, and building it again failed: %w", gone.Name, err)
	}
	if image.Name != gone.Name {
		if err := l.rebuilder.note(l.record, image); err != nil {
			l.log.Warn("cannot note the new image: each launch will have to look for it, and build --prune does not know that it is needed", "error", err)
		}
	}
	return image, nil
}

// rebuilder builds an image from the source that build saved in OUTPUT_DIR.
type rebuilder struct {
	engine    imagebuild.Engine
	settings  config.Settings
	program   imagebuild.Program
	outputDir string
}

// rebuild builds the image of record's package. Peers that rebuild the same image at the same time share one build, as
// they do at an install.
func (r rebuilder) rebuild(ctx context.Context, record metadata.Record) (image imagebuild.Image, err error) {
	builder := imagebuild.New(r.engine, r.settings, r.program)
	builder.Periods.Cleanup = removeTime // the peer kills run soon after a signal
	defer func() {
		r.program.Figures.Add(figures.Rebuilds, 1)
		r.program.Figures.Add(figures.Builds, 1, record.Type, imagebuild.Result(ctx, builder.Outcome(), err))
	}()
	dir, err := os.MkdirTemp("", "chaincode-source")
	if err != nil {
		return imagebuild.Image{}, fmt.Errorf("unpacking the source: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := content.RestoreSource(r.outputDir, dir); err != nil {
		return imagebuild.Image{}, fmt.Errorf("%w; %s", err, metadata.RebuildHint(r.outputDir))
	}
	source, err := content.Open(dir)
	if err != nil {
		return imagebuild.Image{}, err
	}
	defer source.Close()
	pkg := metadata.Package{Type: record.Type, Label: record.Label, Path: record.Path}
	plan, err := platform.NewPlan(pkg, source, r.settings, r.program.Environ)
	if err != nil {
		return imagebuild.Image{}, err
	}
	return builder.Build(ctx, plan, source, pkg.Label)
}

// note notes the image that has taken the place of record's.
func (r rebuilder) note(record metadata.Record, image imagebuild.Image) error {
	record.Image, record.ImageID, record.User = image.Name, image.ID, image.User
	record.TLSByInput, record.Entrypoint = image.TLSByInput, image.Entrypoint
	return metadata.WriteRebuilt(r.outputDir, record)
}
