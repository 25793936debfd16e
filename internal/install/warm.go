// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"fabric-builder-docker/internal/buildlog"
	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/engine"
	"fabric-builder-docker/internal/imagebuild"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
	"fabric-builder-docker/internal/regular"
)

// Warm fills the engine's caches ahead of the first install: Go's standard library, and the base images and dependencies of
// the packages that are its arguments. It contacts the engine only if all packages are valid.
func Warm(ctx context.Context, process cli.Process) error {
	process.Environ = config.PassedOnOrAll(process.Home, process.Environ) // other variables can change the names of caches
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
	jobs, err := newJobs(process, settings, scratch)
	if err != nil {
		return err
	}
	connected, err := engine.Connect(ctx, settings)
	if err != nil {
		return err
	}
	defer connected.Close()
	began := time.Now()
	logFabric(process.Log, settings)
	for _, j := range jobs {
		defer j.source.Close()
		process.About(j.about()...)
		if err := imagebuild.New(connected, j.settings, programOf(process)).Warm(ctx, j.plan, j.source, j.label); err != nil {
			return fmt.Errorf("filling caches for %s: %w", j.target, err)
		}
	}
	process.About()
	process.Log.Info("caches filled", "packages", len(process.Args), "took", buildlog.Round(time.Since(began)))
	return nil
}

// job is one cache to fill.
type job struct {
	target   string // the package or library, for messages
	label    string
	source   *content.Package
	plan     platform.Plan
	settings config.Settings
}

// about names the job in the log.
func (j job) about() []any {
	if j.label == "" {
		return []any{"target", j.target}
	}
	return []any{"label", j.label, "package", j.target}
}

// newJobs unpacks and checks all packages, so that an invalid one is reported before the first job has taken a minute.
func newJobs(process cli.Process, settings config.Settings, scratch string) ([]job, error) {
	library, err := platform.NewGoLibraryPlan(settings, process.Environ)
	if err != nil {
		return nil, err
	}
	if err := settings.CheckImage(library.Builder.Setting, library.Builder.Name); err != nil {
		return nil, err
	}
	jobs := []job{{target: "Go's standard library", source: &content.Package{}, plan: library, settings: settings}}
	for i, path := range process.Args {
		j, err := newJob(path, filepath.Join(scratch, strconv.Itoa(i)), settings, process.Environ)
		if err != nil {
			return nil, fmt.Errorf("package %s: %w", path, err)
		}
		jobs = append(jobs, j)
	}
	return jobs, nil
}

// newJob unpacks a package into dir and plans its build.
func newJob(path, dir string, settings config.Settings, environ []string) (job, error) {
	sourceDir, metadataDir, err := content.UnpackPackage(path, dir)
	if err != nil {
		return job{}, err
	}
	pkg, err := metadata.ReadPackage(metadataDir)
	if err != nil {
		return job{}, err
	}
	if err := pkg.CheckLabel(); err != nil {
		return job{}, err
	}
	id, err := packageID(pkg.Label, path)
	if err != nil {
		return job{}, err
	}
	settings = settings.For(config.Subject{Label: pkg.Label, ID: id})
	source, err := content.Open(sourceDir)
	if err != nil {
		return job{}, err
	}
	if err := source.CheckNames(); err != nil {
		return job{}, err
	}
	plan, err := platform.NewPlan(pkg, source, settings, environ)
	return job{target: path, label: pkg.Label, source: source, plan: plan, settings: settings}, err
}

// packageID returns the id that a peer gives to the package in a file: the label and the SHA-256 of the file (PackageID in
// core/chaincode/persistence/persistence.go of Fabric).
func packageID(label, path string) (string, error) {
	if label == "" {
		return "", nil
	}
	file, err := regular.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, file); err != nil {
		return "", err
	}
	return label + ":" + hex.EncodeToString(hash.Sum(nil)), nil
}
