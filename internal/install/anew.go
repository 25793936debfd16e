// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"fabric-builder-docker/internal/buildlog"
	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/engine"
	"fabric-builder-docker/internal/imagebuild"
)

// Anew makes the images of the packages that are its arguments anew, and the snapshots of their dependencies, under the names
// that the peer uses. It contacts the engine only if all packages are valid.
func Anew(ctx context.Context, process cli.Process) error {
	if len(process.Args) == 0 {
		return errors.New("build --anew needs the package files whose images it is to make")
	}
	process.Environ = asPeer(process)
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
	var jobs []job
	for i, path := range process.Args {
		j, err := newJob(path, filepath.Join(scratch, strconv.Itoa(i)), settings, process.Environ)
		if err != nil {
			return fmt.Errorf("package %s: %w", path, err)
		}
		defer j.source.Close()
		jobs = append(jobs, j)
	}
	connected, err := engine.Connect(ctx, settings)
	if err != nil {
		return err
	}
	defer connected.Close()
	logFabric(process.Log, settings)
	for _, j := range jobs {
		process.About(j.about()...)
		began, builder := time.Now(), imagebuild.New(connected, j.settings, programOf(process))
		if err := builder.Anew(ctx, j.plan, j.source, j.label); err != nil {
			return fmt.Errorf("making the image of %s anew: %w", j.target, err)
		}
		process.Log.Info("done with this package", append([]any{"took", buildlog.Round(time.Since(began))}, builder.Phases()...)...)
	}
	return nil
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
