package peer

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// ErrNotStarted is the answer to stopping what was never started.
var ErrNotStarted = errors.New("instance has not been started")

// Stop stops the newest run of a chaincode: SIGTERM, TermTimeout, SIGKILL to
// the process alone, KillTimeout, error. When run has ended it also gives the
// stream KillTimeout to end, so that a transaction that follows launches the
// chaincode anew and does not meet a dying one.
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
	_ = p.Disconnected(grace, packageID) // a chaincode that outlives its run is no error of Stop's
	return nil
}

// Connected tells whether the peer has a chaincode to talk to.
func (p *Peer) Connected(packageID string) bool {
	return p.registry.handler(packageID) != nil
}

// Disconnected waits until the peer has dropped the chaincode it has now.
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

// StopAll is the peer's shutdown: it stops all chaincodes side by side, with
// ShutdownTimeout for all of them together. What has not ended then is left
// alone; the error names it.
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
