// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"google.golang.org/grpc"
)

// Peer is a running peer. Its methods may be called concurrently.
type Peer struct {
	opts     Options
	address  string
	ca       *authority
	clients  *clientCerts
	client   *identity
	server   *grpc.Server
	served   chan struct{}
	registry *registry
	builds   *builds
	state    *state

	mutex     sync.Mutex
	closed    bool
	instances map[string]*instance
	processes []*Process
}

// Start starts a peer that serves its chaincode address until Close. ctx bounds only the start.
func Start(ctx context.Context, options Options) (*Peer, error) {
	opts, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	p := &Peer{
		opts:      opts,
		clients:   newClientCerts(opts.CertLifetime),
		registry:  newRegistry(),
		builds:    newBuilds(),
		instances: map[string]*instance{},
		served:    make(chan struct{}),
	}
	for _, dir := range []string{p.buildsDir(), p.packagesDir(), p.scratchDir()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("creating the peer's directory: %w", err)
		}
	}
	if p.state, err = loadState(filepath.Join(opts.Dir, "state.json")); err != nil {
		return nil, err
	}
	if p.client, err = newIdentity(opts.MSPID); err != nil {
		return nil, err
	}
	if err := p.serve(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// Address returns the peer_address of chaincode.json.
func (p *Peer) Address() string { return p.address }

// RootCert returns the CA certificate of this peer as PEM, or "" without TLS.
func (p *Peer) RootCert() string {
	if p.ca == nil {
		return ""
	}
	return string(p.ca.certPEM)
}

// Processes returns every program that this peer has started, in order.
func (p *Peer) Processes() []*Process {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return slices.Clone(p.processes)
}

// Runs returns the run programs started for a package, in order. Only the last one can be stopped, because starting it
// overwrote the earlier handles.
func (p *Peer) Runs(packageID string) []*Process {
	return slices.DeleteFunc(p.Processes(), func(process *Process) bool {
		return process.program != "run" || process.packageID != packageID
	})
}

// ScannerDied reports whether the peer stopped reading any program's stderr because of a line that was too long.
func (p *Peer) ScannerDied() bool {
	return slices.ContainsFunc(p.Processes(), (*Process).ScannerDied)
}

// Crash acts as if the peer was killed by SIGKILL: chaincodes lose their stream, and programs the reader of their
// stderr, but nothing signals them or removes their directories. Close then stops what is still running.
func (p *Peer) Crash() {
	p.close()
	p.server.Stop()
	<-p.served
	for _, process := range p.Processes() {
		process.orphan()
	}
}

// Close stops every program that still runs, including those without a handle: SIGTERM, ShutdownTimeout, SIGKILL. Its
// error lists the programs that had to be killed. Then the peer stops serving.
func (p *Peer) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), p.opts.ShutdownTimeout)
	defer cancel()

	p.close()
	living := slices.DeleteFunc(p.Processes(), (*Process).Ended)
	for _, process := range living {
		process.terminate()
	}
	var errs []error
	for _, process := range living {
		if process.Wait(ctx) != nil {
			errs = append(errs, fmt.Errorf("closing the peer: %s had to be killed", process))
			process.kill()
		}
	}
	for _, process := range living {
		p.reap(process)
	}
	p.server.Stop()
	<-p.served
	return errors.Join(errs...)
}

// close prevents further programs from being started.
func (p *Peer) close() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.closed = true
}

// reap waits for a killed program. If a grandchild holds stderr open, reap closes its reader after KillTimeout.
func (p *Peer) reap(process *Process) {
	ctx, cancel := context.WithTimeout(context.Background(), p.opts.KillTimeout)
	defer cancel()
	if process.Wait(ctx) != nil {
		process.hangUp()
	}
}

func (p *Peer) buildsDir() string {
	return filepath.Join(p.opts.Dir, "externalbuilder", "builds")
}

func (p *Peer) packagesDir() string {
	return filepath.Join(p.opts.Dir, "lifecycle", "chaincodes")
}

func (p *Peer) scratchDir() string {
	return filepath.Join(p.opts.Dir, "tmp")
}
