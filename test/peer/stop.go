// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// ErrNotStarted is returned by Stop for a chaincode that was never started.
var ErrNotStarted = errors.New("instance has not been started")

// Stop stops the newest run of a chaincode: SIGTERM, TermTimeout, SIGKILL to the process alone, KillTimeout, error.
// After run has ended, it waits up to KillTimeout for the stream to end, so that a transaction that follows launches
// the chaincode again instead of using a stream that is ending.
func (p *Peer) Stop(ctx context.Context, packageID string) error {
	p.mutex.Lock()
	var run *Process
	if instance := p.instances[packageID]; instance != nil {
		run = instance.run
	}
	p.mutex.Unlock()
	if run == nil {
		return ErrNotStarted
	}
	if err := run.stop(ctx, p.opts.TermTimeout, p.opts.KillTimeout); err != nil {
		return err
	}
	grace, cancel := context.WithTimeout(ctx, p.opts.KillTimeout)
	defer cancel()
	_ = p.Disconnected(grace, packageID) // Stop succeeds even if the chaincode outlives its run.
	return nil
}

// Connected reports whether a chaincode is connected.
func (p *Peer) Connected(packageID string) bool {
	return p.registry.handler(packageID) != nil
}

// Disconnected waits until the peer has dropped the current stream of a chaincode.
func (p *Peer) Disconnected(ctx context.Context, packageID string) error {
	h := p.registry.handler(packageID)
	if h == nil {
		return nil
	}
	select {
	case <-h.dropped:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for the end of %s: %w", packageID, context.Cause(ctx))
	}
}

// StopAll stops all chaincodes in parallel, as the peer does at shutdown, with ShutdownTimeout for all together. It
// leaves running what has not ended by then; the error names it.
func (p *Peer) StopAll(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, p.opts.ShutdownTimeout,
		errors.New("timeout while stopping external chaincodes"))
	defer cancel()
	running := p.running()
	errs := make([]error, len(running))
	var group sync.WaitGroup
	for i, run := range running {
		group.Go(func() { errs[i] = run.stop(ctx, p.opts.TermTimeout, p.opts.KillTimeout) })
	}
	group.Wait()
	return errors.Join(errs...)
}

func (p *Peer) running() []*Process {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	var running []*Process
	for _, instance := range p.instances {
		if instance.run != nil && !instance.run.Ended() {
			running = append(running, instance.run)
		}
	}
	return running
}
