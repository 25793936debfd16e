// Package launch is one run of one chaincode: it creates the container, hands it the TLS files, starts it, shows what it
// prints and ends with it, or stops it when the peer says so. An image that is gone is built again from the saved source.
package launch

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/go-hclog"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/engine"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/network"
	"fabric-builder-docker/internal/platform"
)

// Engine is what a run needs of a container engine.
type Engine interface {
	Image(ctx context.Context, ref string) (docker.Image, error)
	Claim(ctx context.Context, spec docker.Spec) (id string, holder *docker.Container, err error)
	Inspect(ctx context.Context, id string) (docker.Container, error)
	Upload(ctx context.Context, id, dir string, archive io.Reader) error
	Download(ctx context.Context, id, path string) (io.ReadCloser, error)
	Attach(ctx context.Context, id string, input []byte) (*docker.Output, error)
	Logs(ctx context.Context, id string, since time.Time) (*docker.Output, error)
	Wait(ctx context.Context, id string) (<-chan docker.Exit, error)
	WaitEnded(ctx context.Context, id string) (<-chan docker.Exit, error)
	Start(ctx context.Context, id string) error
	Stop(ctx context.Context, id string, grace time.Duration) error
	Connect(ctx context.Context, id, network string, aliases []string) error
	network.Engine
	Rename(ctx context.Context, id, name string) error
	Remove(ctx context.Context, id string) error
}

// launch is one run of one chaincode.
type launch struct {
	engine    Engine
	log       hclog.Logger
	stderr    io.Writer // takes whole lines
	settings  config.Settings
	record    metadata.Record
	chaincode metadata.Chaincode
	outputDir string
	began     time.Time // of two runs of one chaincode the later one wins
	rebuild   rebuilder
}

// Run launches the chaincode in RUN_METADATA_DIR, the second argument, from what build left in OUTPUT_DIR, the first. It
// returns the container's exit status as a [cli.Status].
func Run(ctx context.Context, process cli.Process) error {
	began := time.Now()
	outputDir, runMetadataDir := process.Args[0], process.Args[1]
	record, err := metadata.ReadRecord(outputDir)
	if err != nil {
		return err
	}
	if err := platform.CheckRun(record.Type); err != nil {
		return fmt.Errorf("%w; %s", err, metadata.RebuildHint(outputDir))
	}
	chaincode, err := metadata.ReadChaincode(runMetadataDir)
	if err != nil {
		return err
	}
	settings, err := config.Load(process.Home, process.Environ)
	if err != nil {
		return err
	}
	settings = settings.ForLabel(record.Label)
	process.Configure(settings.Builder.Log.Level, settings.Builder.Log.Format)
	for _, warning := range settings.Warnings {
		process.Log.Warn("about the settings", "reason", warning)
	}
	connected, err := engine.Connect(ctx, settings)
	switch {
	case err != nil && ctx.Err() != nil:
		process.Log.Info("stopped before the engine answered", "chaincode_id", chaincode.ID, "reason", context.Cause(ctx))
		return stopped
	case err != nil:
		return err
	}
	defer connected.Close()
	l := &launch{
		engine: connected, log: process.Log, stderr: process.Stderr, settings: settings,
		record: record, chaincode: chaincode, outputDir: outputDir, began: began,
	}
	l.rebuild = rebuildFrom(process, l, connected)
	return l.run(ctx)
}
