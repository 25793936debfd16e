// SPDX-License-Identifier: Apache-2.0

// Package launch runs one chaincode: it creates the container, delivers the TLS files, starts the container, forwards its
// output, and returns when it exits, or stops it when the peer sends a signal. If the image has been removed, it is
// built again from the saved source.
package launch

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"fabric-builder-docker/internal/baseimage"
	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/engine"
	"fabric-builder-docker/internal/figures"
	"fabric-builder-docker/internal/imagebuild"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/network"
	"fabric-builder-docker/internal/platform"
)

// Engine holds the calls that a run makes to a container engine.
type Engine interface {
	network.Engine
	baseimage.Reader
	Inspect(ctx context.Context, id string) (docker.Container, error)
	Lookup(ctx context.Context, id string) (docker.Container, error)
	Image(ctx context.Context, ref string) (docker.Image, error)
	CreateOrInspect(ctx context.Context, spec docker.Spec) (id string, holder *docker.Container, err error)
	Connect(ctx context.Context, id, network string, aliases []string) error
	Upload(ctx context.Context, id, dir string, archive io.Reader) error
	Attach(ctx context.Context, id string, input []byte) (*docker.Output, error)
	ReadLog(ctx context.Context, id string, position *docker.LogPosition, deliver func(docker.LogPiece) error) (complete bool, err error)
	Clock(ctx context.Context) (time.Time, error)
	List(ctx context.Context, labels map[string]string) ([]docker.Container, error)
	Wait(ctx context.Context, id string) (<-chan docker.Exit, error)
	WaitEnded(ctx context.Context, id string) (<-chan docker.Exit, error)
	Start(ctx context.Context, id string) error
	Stop(ctx context.Context, id string, grace time.Duration) error
	Rename(ctx context.Context, id, name string) error
	Remove(ctx context.Context, id string) error
}

// launch is one run of one chaincode.
type launch struct {
	engine    Engine
	log       hclog.Logger
	stderr    io.Writer // takes whole lines only
	settings  config.Settings
	record    metadata.Record
	chaincode metadata.Chaincode
	began     time.Time // of two runs of the same chaincode, the later one wins
	rebuilder rebuilder
	counts    counts
	signalled atomic.Pointer[time.Time] // when the signal came that stops this run

	reconnected time.Time // last; zero: never
}

// Run launches the chaincode that is described in RUN_METADATA_DIR, the second argument, from the image that is named in
// OUTPUT_DIR, the first argument. It returns the container's exit status as a [cli.Status], or 143 if a signal stops it
// before the chaincode starts.
func Run(ctx context.Context, process cli.Process) error {
	began := time.Now()
	outputDir, runMetadataDir := process.Args[0], process.Args[1]
	chaincode, chaincodeErr := metadata.ReadChaincode(runMetadataDir)
	if chaincodeErr == nil {
		process.About("chaincode_id", chaincode.ID)
	}
	record, err := metadata.ReadRecord(outputDir)
	if err != nil {
		return err
	}
	record = metadata.WithRebuilt(outputDir, record)
	if err := platform.CheckRun(record.Type); err != nil {
		return fmt.Errorf("%w; %s", err, metadata.RebuildHint(outputDir))
	}
	if chaincodeErr != nil {
		return chaincodeErr
	}
	built := config.Fabric{Version: record.FabricVersion, Namespace: record.DockerNamespace}
	settings, err := config.LoadBuilt(process.Home, process.Environ, built) // a rebuild makes the same image
	if err != nil {
		return err
	}
	settings = settings.For(config.Subject{Label: record.Label, ID: chaincode.ID})
	process.Configure(settings.Builder.Log.Level, settings.Builder.Log.Format)
	for _, warning := range settings.Warnings {
		process.Log.Warn("problem with settings", "reason", warning)
	}
	counts := counts{figures.New(settings.Builder.Metrics.Directory, process.Log)}
	connected, err := engine.Connect(ctx, settings)
	if err != nil {
		counts.countLaunch(ctx, time.Since(began), err, saveAtEnd)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		process.Log.Info("stopped before the engine answered", "reason", context.Cause(ctx))
		return exitStopped
	case err != nil:
		return err
	}
	defer connected.Close()
	l := &launch{
		engine: connected, log: process.Log, stderr: process.Stderr, settings: settings,
		record: record, chaincode: chaincode, began: began, counts: counts,
		rebuilder: rebuilder{
			engine: connected, settings: settings, outputDir: outputDir,
			program: imagebuild.Program{
				Log: process.Log, Stderr: process.Stderr, Environ: process.Environ, Version: cli.Release(), LastWrite: process.LastWrite,
				Figures: counts.Figures,
			},
		},
	}
	return l.run(ctx)
}
