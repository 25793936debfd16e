package install

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/engine"
	"fabric-builder-docker/internal/imagebuild"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// Warm fills caches before anybody waits for an install: Go's standard library, and what the given packages need.
func Warm(ctx context.Context, process cli.Process) error {
	settings, err := config.Load(process.Home, process.Environ)
	if err != nil {
		return err
	}
	configureLog(&process, settings)
	scratch, err := os.MkdirTemp("", "chaincode-source")
	if err != nil {
		return fmt.Errorf("unpacking packages: %w", err)
	}
	defer os.RemoveAll(scratch)
	works, err := worksOf(process, settings, scratch)
	if err != nil {
		return err
	}
	connected, err := engine.Connect(ctx, settings)
	if err != nil {
		return err
	}
	defer connected.Close()
	began := time.Now()
	for _, w := range works {
		if err := imagebuild.New(connected, w.settings, process).Warm(ctx, w.plan, w.source, w.label); err != nil {
			return fmt.Errorf("warming up for %s: %w", w.of, err)
		}
	}
	process.Log.Info("warm", "packages", len(process.Args), "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// work is one thing to do ahead of time.
type work struct {
	of       string // for messages
	label    string
	source   *content.Package
	plan     platform.Plan
	settings config.Settings
}

// worksOf finds what is wrong with a package before the first of them has taken a minute.
func worksOf(process cli.Process, settings config.Settings, scratch string) ([]work, error) {
	works := []work{{
		of: "Go's standard library", source: &content.Package{}, plan: platform.NewGoLibraryPlan(settings, process.Environ), settings: settings,
	}}
	for i, path := range process.Args {
		w, err := workOf(path, filepath.Join(scratch, strconv.Itoa(i)), settings, process.Environ)
		if err != nil {
			return nil, fmt.Errorf("package %s: %w", path, err)
		}
		works = append(works, w)
	}
	return works, nil
}

func workOf(path, dir string, settings config.Settings, environ []string) (work, error) {
	sourceDir, metadataDir, err := content.UnpackPackage(path, dir)
	if err != nil {
		return work{}, err
	}
	pkg, err := metadata.ReadPackage(metadataDir)
	if err != nil {
		return work{}, err
	}
	if err := pkg.CheckLabel(); err != nil {
		return work{}, err
	}
	settings = settings.ForLabel(pkg.Label)
	source, err := content.Read(os.DirFS(sourceDir))
	if err != nil {
		return work{}, err
	}
	plan, err := platform.NewPlan(pkg, source, settings, environ)
	return work{of: path, label: pkg.Label, source: source, plan: plan, settings: settings}, err
}
