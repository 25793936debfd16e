package install

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
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

// Warm fills the engine's caches ahead of the first install: Go's standard library, and the base images and dependencies of
// the packages that are its arguments. It contacts the engine only if all packages are valid.
func Warm(ctx context.Context, process cli.Process) error {
	began := time.Now()
	err := withPackages(&process, func(settings config.Settings, jobs []job) error {
		library := job{
			target: "Go's standard library", source: &content.Package{}, plan: platform.NewGoLibraryPlan(settings, process.Environ), settings: settings,
		}
		return eachJob(ctx, process, settings, append([]job{library}, jobs...), func(builder *imagebuild.Builder, j job) error {
			if err := builder.Warm(ctx, j.plan, j.source, j.label); err != nil {
				return fmt.Errorf("filling caches for %s: %w", j.target, err)
			}
			return nil
		})
	})
	if err == nil {
		process.Log.Info("caches filled", "packages", len(process.Args), "took", time.Since(began).Round(time.Millisecond))
	}
	return err
}

// Anew makes the images of the packages that are its arguments anew, and the snapshots of their dependencies, under the names
// that the peer uses. It contacts the engine only if all packages are valid.
func Anew(ctx context.Context, process cli.Process) error {
	if len(process.Args) == 0 {
		return errors.New("build --anew needs the package files whose images it is to make")
	}
	process.Environ = asPeer(process)
	return withPackages(&process, func(settings config.Settings, jobs []job) error {
		return eachJob(ctx, process, settings, jobs, func(builder *imagebuild.Builder, j job) error {
			if err := builder.Anew(ctx, j.plan, j.source, j.label); err != nil {
				return fmt.Errorf("making the image of %s anew: %w", j.target, err)
			}
			return nil
		})
	})
}

// asPeer returns the variables that the peer would pass on to this program, if this process has those of the peer, as a process
// has that docker exec starts beside it. Others can change the name of an image.
func asPeer(process cli.Process) []string {
	passed, err := config.PassedOn(process.Home, process.Environ)
	if err != nil {
		process.Log.Warn("using all variables of this process, since it is not known which of them the peer passes on", "reason", err)
		return process.Environ
	}
	return passed
}

// withPackages unpacks and checks the packages that are the arguments, and calls do with a job for each.
func withPackages(process *cli.Process, do func(settings config.Settings, jobs []job) error) error {
	settings, err := config.Load(process.Home, process.Environ)
	if err != nil {
		return err
	}
	configureLog(process, settings)
	scratch, err := os.MkdirTemp("", "chaincode-source")
	if err != nil {
		return fmt.Errorf("unpacking packages: %w", err)
	}
	defer os.RemoveAll(scratch)
	jobs, err := newJobs(*process, settings, scratch)
	if err != nil {
		return err
	}
	return do(settings, jobs)
}

// eachJob calls do for each job, with a builder that has the settings of the job's package.
func eachJob(ctx context.Context, process cli.Process, settings config.Settings, jobs []job, do func(*imagebuild.Builder, job) error) error {
	connected, err := engine.Connect(ctx, settings)
	if err != nil {
		return err
	}
	defer connected.Close()
	for _, j := range jobs {
		defer j.source.Close()
		if err := do(imagebuild.New(connected, j.settings, programOf(process)), j); err != nil {
			return err
		}
	}
	return nil
}

// job is one cache to fill, or one image to make anew.
type job struct {
	target   string // the package or library, for messages
	label    string
	source   *content.Package
	plan     platform.Plan
	settings config.Settings
}

// newJobs unpacks and checks all packages, so that an invalid one is reported before the first job has taken a minute.
func newJobs(process cli.Process, settings config.Settings, scratch string) ([]job, error) {
	var jobs []job
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
	plan, err := platform.NewPlan(pkg, source, settings, environ)
	return job{target: path, label: pkg.Label, source: source, plan: plan, settings: settings}, err
}

// packageID returns the id that a peer gives to the package in a file: the label and the SHA-256 of the file (PackageID in
// core/chaincode/persistence/persistence.go of Fabric).
func packageID(label, path string) (string, error) {
	if label == "" {
		return "", nil
	}
	file, err := os.Open(path)
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
