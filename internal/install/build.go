// Package install implements the build phase: it reads and checks a package, builds or pulls its image, and writes what
// release and run need to OUTPUT_DIR.
package install

import (
	"context"
	"time"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/engine"
	"fabric-builder-docker/internal/imagebuild"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// Build builds the package in SOURCE_DIR and METADATA_DIR and writes OUTPUT_DIR. These are its three arguments.
func Build(ctx context.Context, process cli.Process) error {
	sourceDir, metadataDir, outputDir := process.Args[0], process.Args[1], process.Args[2]
	if err := metadata.CheckDir("source", sourceDir); err != nil {
		return err
	}
	pkg, err := metadata.ReadPackage(metadataDir)
	if err != nil {
		return err
	}
	if err := pkg.CheckLabel(); err != nil {
		return err
	}
	settings, err := config.Load(process.Home, process.Environ)
	if err != nil {
		return err
	}
	settings = settings.ForLabel(pkg.Label)
	configureLog(&process, settings)
	if err := metadata.CheckMetaInf(sourceDir); err != nil {
		return err
	}
	source, err := content.Open(sourceDir)
	if err != nil {
		return err
	}
	defer source.Close()
	plan, err := platform.NewPlan(pkg, source, settings, process.Environ)
	if err != nil {
		return err
	}
	if err := metadata.MakeOutputDir(outputDir); err != nil {
		return err
	}
	if plan.Kind == platform.Service {
		connection, err := renderConnection(sourceDir, process.Environ)
		if err != nil {
			return err
		}
		return writeServiceOutput(outputDir, sourceDir, pkg, connection)
	}
	connected, err := engine.Connect(ctx, settings)
	if err != nil {
		return err
	}
	defer connected.Close()

	began := time.Now()
	image, err := imagebuild.New(connected, settings, imagebuild.Program{Log: process.Log, Stderr: process.Stderr, Environ: process.Environ, Version: cli.Release()}).Build(ctx, plan, source, pkg.Label)
	if err != nil {
		return err
	}
	record := newRecord(pkg, image)
	record.NPMStart = plan.NPMStart
	if !settings.Builder.SaveSource {
		source = nil
	}
	if err := writeOutput(outputDir, sourceDir, source, record); err != nil {
		return err
	}
	process.Log.Info("built", "label", pkg.Label, "image", image.Name, "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// configureLog applies builder.log and logs the warnings about the settings.
func configureLog(process *cli.Process, settings config.Settings) {
	process.Configure(settings.Builder.Log.Level, settings.Builder.Log.Format)
	for _, warning := range settings.Warnings {
		process.Log.Warn("problem with settings", "reason", warning)
	}
}

// writeOutput writes OUTPUT_DIR: META-INF for release, the source unless it is nil, from which run rebuilds a removed image,
// and last the build record.
func writeOutput(outputDir, sourceDir string, source *content.Package, record metadata.Record) error {
	if err := metadata.CopyMetaInf(sourceDir, outputDir); err != nil {
		return err
	}
	if source != nil {
		if err := source.Save(outputDir); err != nil {
			return err
		}
	}
	return metadata.WriteRecord(outputDir, record)
}

// newRecord returns the build record of a package with a new install token.
func newRecord(pkg metadata.Package, image imagebuild.Image) metadata.Record {
	return metadata.Record{
		Type:         pkg.Type,
		Label:        pkg.Label,
		Path:         pkg.Path,
		Image:        image.Name,
		User:         image.User,
		TLSByInput:   image.TLSByInput,
		Entrypoint:   image.Entrypoint,
		InstallToken: metadata.NewInstallToken(),
		Builder:      cli.Release(),
		Created:      time.Now().UTC().Truncate(time.Second),
	}
}
