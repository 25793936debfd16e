// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/test/fakeengine"
)

const imageName = "fabric-chaincode/golang:0123456789abcdef"

var sigterm = cli.Stopped{Signal: syscall.SIGTERM}

// flavours are engines whose answers differ.
var flavours = map[string][]fakeengine.Option{
	"docker 20.10": {fakeengine.API("1.41", "1.12")},
	"docker 28":    nil,
	"podman":       {fakeengine.Podman()},
}

// runner runs one chaincode on a fake engine.
type runner struct {
	engine    *fakeengine.Engine
	chaincode metadata.Chaincode
	record    metadata.Record
	settings  string       // config.yaml
	output    lockedBuffer // stderr
}

func newRunner(t *testing.T, options ...fakeengine.Option) *runner {
	t.Helper()
	engine := fakeengine.New(t, options...)
	engine.AddImage(fakeengine.Image{Name: imageName})
	return &runner{
		engine:    engine,
		chaincode: metadata.Chaincode{ID: "basic_1.0:abc", PeerAddress: "peer0.org1.example.com:7052", MSPID: "Org1MSP"},
		record: metadata.Record{
			Type: "golang", Label: "basic_1.0", Image: imageName, User: &metadata.UIDGID{UID: 500, GID: 501}, InstallToken: "0123456789abcdef",
		},
	}
}

// another returns a runner for a second run of the same chaincode.
func (r *runner) another() *runner {
	return &runner{engine: r.engine, chaincode: r.chaincode, record: r.record, settings: r.settings}
}

func (r *runner) withTLS() *runner {
	block := func(text string) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte(text)}))
	}
	r.chaincode.ClientCert, r.chaincode.ClientKey, r.chaincode.RootCert = block("certificate"), block("key"), block("root")
	return r
}

func (r *runner) name() string { return metadata.RunName(r.chaincode, r.record.InstallToken) }

func (r *runner) process(t *testing.T) cli.Process {
	t.Helper()
	outputDir, runMetadataDir := filepath.Join(t.TempDir(), "bld"), t.TempDir()
	require.NoError(t, os.Mkdir(outputDir, 0o755))
	require.NoError(t, metadata.WriteRecord(outputDir, r.record))
	description, err := json.Marshal(r.chaincode)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(runMetadataDir, metadata.ChaincodeFile), description, 0o600))
	home := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(home, config.File), []byte(r.settings), 0o644))
	return cli.Process{
		Args: []string{outputDir, runMetadataDir}, Home: home, Environ: []string{"CORE_VM_ENDPOINT=" + r.engine.Host()},
		Log: cli.NewLogger("run", &r.output), Stderr: &r.output,
	}
}

// run calls Run. It also returns the exit status of the program.
func (r *runner) run(ctx context.Context, t *testing.T) (status int, err error) {
	t.Helper()
	err = Run(ctx, r.process(t))
	var code cli.Status
	switch {
	case err == nil:
		return 0, nil
	case errors.As(err, &code):
		return int(code), err
	}
	return 1, err
}

// start calls Run in the background, until the test is over or stop is called. stop and ended report the exit status.
func (r *runner) start(t *testing.T) (stop func() (int, error), ended <-chan int) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	process, statuses := r.process(t), make(chan int, 1)
	var err error
	go func() {
		err = Run(ctx, process)
		var code cli.Status
		switch {
		case err == nil:
			statuses <- 0
		case errors.As(err, &code):
			statuses <- int(code)
		default:
			statuses <- 1
		}
	}()
	return func() (int, error) {
		cancel(sigterm)
		return <-statuses, err
	}, statuses
}

// awaitRunning waits until run knows that the container has started: while the engine's start call is under way, a
// signal would still cancel the start.
func (r *runner) awaitRunning(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(r.output.String(), "the chaincode's container is running") },
		time.Minute, time.Millisecond)
}

// launchOn returns a launch on an engine, for tests that call its methods.
func (r *runner) launchOn(engine Engine) *launch {
	settings := config.Defaults()
	settings.VM.Endpoint = r.engine.Host()
	return &launch{
		engine: engine, log: cli.NewLogger("run", &r.output), stderr: &r.output, settings: settings, record: r.record, chaincode: r.chaincode,
		began: time.Now(),
	}
}

// connect returns a client of the fake engine, for launchOn.
func (r *runner) connect(t *testing.T) *docker.Engine {
	t.Helper()
	client, err := docker.Connect(t.Context(), r.engine.Host())
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	return client
}

// printed returns the chaincode's lines on stderr, without their prefix.
func (r *runner) printed() string {
	var lines strings.Builder
	for line := range strings.Lines(r.output.String()) {
		if text, ok := strings.CutPrefix(line, r.chaincode.ID+" | "); ok {
			lines.WriteString(text)
		}
	}
	return lines.String()
}

func (r *runner) lastLine() string {
	lines := strings.Split(strings.TrimSpace(r.output.String()), "\n")
	return lines[len(lines)-1]
}

func (r *runner) assertNothingLeft(t *testing.T) {
	t.Helper()
	for _, container := range r.engine.Containers() {
		t.Errorf("container %s (%s) was left behind", container.Name, container.Status)
	}
}

// leave creates a container of the same chaincode, as a run that began at that time would leave it behind.
func (r *runner) leave(t *testing.T, began string) (*docker.Engine, string) {
	t.Helper()
	client := r.connect(t)
	labels := map[string]string{metadata.LabelBegan: began}
	id, holder, err := client.CreateOrInspect(t.Context(), docker.Spec{Name: r.name(), Image: imageName, Command: []string{"old"}, Labels: labels})
	require.NoError(t, err)
	require.Nil(t, holder)
	return client, id
}

// began returns the label of a run that began so long ago.
func began(ago time.Duration) string { return time.Now().Add(-ago).UTC().Format(time.RFC3339Nano) }

// lockedBuffer is a bytes.Buffer that is safe for concurrent use.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.String()
}

// prints returns a program that prints text and exits with status.
func prints(text string, status int) fakeengine.Program {
	return func(p *fakeengine.Process) int {
		p.Stdout.Write([]byte(text))
		return status
	}
}

func (r *runner) assertLastLine(t *testing.T, parts ...string) {
	t.Helper()
	for _, part := range parts {
		assert.Contains(t, r.lastLine(), part)
	}
}
