// SPDX-License-Identifier: Apache-2.0

// Package install implements the build phase: it reads and checks a package, builds or pulls its image, and writes what
// release and run need to OUTPUT_DIR.
package install

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"

	"fabric-builder-docker/internal/buildlog"
	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/engine"
	"fabric-builder-docker/internal/figures"
	"fabric-builder-docker/internal/imagebuild"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// Build builds the package in SOURCE_DIR and METADATA_DIR and writes OUTPUT_DIR. These are its three arguments. It reads and
// checks everything before it contacts an engine.
func Build(ctx context.Context, process cli.Process) (err error) {
	i := install{process: process, sourceDir: process.Args[0], metadataDir: process.Args[1], outputDir: process.Args[2], outcome: figures.Built}
	defer func() { i.count(ctx, err) }()
	if err := i.read(); err != nil {
		return err
	}
	source, err := content.Open(i.sourceDir)
	if err != nil {
		return err
	}
	defer source.Close()
	if err := source.CheckNames(); err != nil {
		return err
	}
	plan, err := platform.NewPlan(i.pkg, source, i.settings, process.Environ)
	if err != nil {
		return err
	}
	if metadata.SameDir(i.sourceDir, i.outputDir) { // whose META-INF would be replaced
		return fmt.Errorf("output directory %s is the source directory: expected another one", i.outputDir)
	}
	if err := metadata.MakeOutputDir(i.outputDir); err != nil {
		return err
	}
	if plan.Kind == platform.Service {
		return i.writeService()
	}
	return i.build(ctx, plan, source)
}

// install is the installation of one package.
type install struct {
	process     cli.Process
	sourceDir   string
	metadataDir string
	outputDir   string
	pkg         metadata.Package
	settings    config.Settings // for this package
	shortID     string          // of the package, for the lines of its build; the label if the id is not known
	outcome     string          // of a build that succeeds, for figures
	figures     *figures.Figures
}

// read reads the package's metadata and the settings, and checks META-INF.
func (i *install) read() error {
	if err := metadata.CheckDir("source", i.sourceDir); err != nil {
		return err
	}
	pkg, err := metadata.ReadPackage(i.metadataDir)
	if err != nil {
		return err
	}
	subject := i.subject(pkg.Label)
	i.about(subject)
	if err := pkg.CheckLabel(); err != nil {
		return err
	}
	settings, err := config.Load(i.process.Home, i.process.Environ)
	if err != nil {
		return err
	}
	i.pkg, i.settings = pkg, settings.For(subject)
	configureLog(&i.process, i.settings)
	i.figures = figures.New(settings.Builder.Metrics.Directory, i.process.Log)
	if undecided := settings.UndecidedImages(subject); len(undecided) > 0 {
		i.process.Log.Warn("the images of builder.overrides with a packageId are not used: the names of the directories do not tell the package's id",
			"package_ids", undecided, "source_dir", i.sourceDir)
	}
	return metadata.CheckMetaInf(i.sourceDir)
}

// about names the package in the log, and in the prefix of what its build prints.
func (i *install) about(subject config.Subject) {
	i.shortID = subject.Label
	directory, isPeers := metadata.PeerDirectory(i.sourceDir)
	switch {
	case subject.ID != "":
		i.shortID = metadata.ShortID(subject.ID)
		i.process.About("label", subject.Label, "package_id", subject.ID)
	case isPeers: // of a package of the 1.x lifecycle, it shows the version
		i.process.About("label", subject.Label, "directory", directory)
	default:
		i.process.About("label", subject.Label)
	}
}

// subject returns the package for which settings are chosen. Its id is not known if a peer has not called build.
func (i *install) subject(label string) config.Subject {
	id, _ := metadata.PackageID(metadata.BuildDirs{Source: i.sourceDir, Metadata: i.metadataDir, Output: i.outputDir}, label)
	return config.Subject{Label: label, ID: id}
}

// build makes sure of the image and writes OUTPUT_DIR.
func (i *install) build(ctx context.Context, plan platform.Plan, source *content.Package) error {
	connected, err := engine.Connect(ctx, i.settings)
	if err != nil {
		return err
	}
	defer connected.Close()
	began := time.Now()
	if plan.FabricVersion != "" {
		logFabric(i.process.Log, i.settings)
	}
	program := programOf(i.process)
	program.Scratch = i.outputDir // is there, may be written to, and has room for the build's output
	program.Figures = i.figures
	builder := imagebuild.New(connected, i.settings, program)
	image, err := builder.Build(ctx, plan, source, i.shortID)
	if err != nil {
		return err
	}
	i.outcome = builder.Outcome()
	record := newRecord(i.pkg, image)
	record.NPMStart = plan.NPMStart
	record.FabricVersion, record.DockerNamespace = i.settings.Builder.FabricVersion, i.settings.Builder.DockerNamespace
	if !i.settings.Builder.SaveSource {
		source = nil
	}
	if err := writeOutput(i.outputDir, i.sourceDir, source, record); err != nil {
		return err
	}
	took := append([]any{"took", buildlog.Round(time.Since(began))}, builder.Phases()...)
	i.process.Log.Info("built", append([]any{"image", image.Name, "image_id", image.ID}, took...)...)
	return nil
}

// saveTime limits how long the end of a build waits until it is counted.
const saveTime = 2 * time.Second

// count counts a build that has ended with err.
func (i *install) count(ctx context.Context, err error) {
	i.figures.Add(figures.Builds, 1, i.pkg.Type, imagebuild.Result(ctx, i.outcome, err))
	i.figures.Save(saveTime)
}

// programOf returns what the shared build takes from this program.
func programOf(process cli.Process) imagebuild.Program {
	return imagebuild.Program{
		Log: process.Log, Stderr: process.Stderr, Environ: process.Environ, Version: cli.Release(), LastWrite: process.LastWrite,
		Status: process.Status,
	}
}

// configureLog applies builder.log and logs the warnings about the settings.
func configureLog(process *cli.Process, settings config.Settings) {
	process.Configure(settings.Builder.Log.Level, settings.Builder.Log.Format)
	for _, warning := range settings.Warnings {
		process.Log.Warn("problem with settings", "reason", warning)
	}
}

// logFabric says which release of Fabric the base images are for, and where that comes from.
func logFabric(log hclog.Logger, settings config.Settings) {
	b, origin := settings.Builder, settings.Fabric
	if origin.Problem == "" {
		log.Info("building for Fabric", "version", b.FabricVersion, "docker_namespace", b.DockerNamespace, "from", origin.Source)
		return
	}
	log.Warn("building for Fabric, but the peer's version is not known", "version", b.FabricVersion, "docker_namespace", b.DockerNamespace,
		"from", origin.Source, "reason", origin.Problem, "set", "builder.fabricVersion (and builder.dockerNamespace) as \"peer version\" prints them")
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
		ImageID:      image.ID,
		User:         image.User,
		TLSByInput:   image.TLSByInput,
		Entrypoint:   image.Entrypoint,
		InstallToken: metadata.NewInstallToken(),
		Builder:      cli.Release(),
		Created:      time.Now().UTC().Truncate(time.Second),
	}
}
