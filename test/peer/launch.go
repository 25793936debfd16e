// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"context"
	"errors"
	"fmt"
	"time"
)

var (
	// ErrStartupTimeout means that the chaincode was not ready in time. Its run keeps running.
	ErrStartupTimeout = errors.New("timeout expired while starting chaincode")
	// ErrServer means that release wrote a connection.json. Fabric's peer would dial the chaincode and not call run.
	ErrServer = errors.New("chaincode is a server")
)

// Launched describes a launch.
type Launched struct {
	// Run is the chaincode's run program.
	Run *Process
	// Registered and Ready are the times from the start of run to the two answers to REGISTER. If the chaincode was
	// already connected, they are those of the earlier launch.
	Registered, Ready time.Duration
}

// Launch makes sure that a chaincode is connected. It builds the package if its build is missing, starts run, and waits
// for REGISTER, for the end of run, or for StartupTimeout. If a launch is in progress, Launch joins it. When ctx is
// done Launch returns, but the launch continues.
func (p *Peer) Launch(ctx context.Context, packageID string) (Launched, error) {
	l, known := p.registry.launching(packageID)
	if !known {
		go p.startup(packageID, l)
		go p.settle(packageID, l)
	}
	select {
	case <-l.settled:
	case <-ctx.Done():
		return Launched{}, fmt.Errorf("launching %s: %w", packageID, context.Cause(ctx))
	}
	return l.report(known)
}

// report returns the result for a caller of Launch. As in Fabric, callers that joined get every failure as one of the
// registration.
func (l *launch) report(joined bool) (Launched, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	launched := Launched{Run: l.run}
	if l.err != nil && (joined || !l.own) {
		return launched, fmt.Errorf("chaincode registration failed: %w", l.err)
	}
	if l.err == nil && l.run != nil {
		launched.Registered = l.registered.Sub(l.run.started)
		launched.Ready = l.ready.Sub(l.run.started)
	}
	return launched, l.err
}

// startup starts run. When run ends, that is the launch's outcome, unless it has one already.
func (p *Peer) startup(packageID string, l *launch) {
	if err := p.ensureBuilt(packageID); err != nil {
		l.fail(fmt.Errorf("error building chaincode: error building image: %w", err))
		return
	}
	var run *Process
	var err error
	// Under the launch's lock, so that even a very fast chaincode finds run set.
	l.update(func(l *launch) {
		run, err = p.run(packageID)
		l.run = run
	})
	if err != nil {
		l.fail(err)
		return
	}
	<-run.Done()
	if err := run.Err(); err != nil {
		l.notify(fmt.Errorf("failed to wait on container exit: builder '%s' run failed: %w", p.opts.BuilderName, err))
		return
	}
	l.notify(errors.New("container exited with 0"))
}

// settle waits for a launch's outcome. After a failure it removes the launch and its handler from the registry, but
// does not stop run.
func (p *Peer) settle(packageID string, l *launch) {
	timer := time.NewTimer(p.opts.StartupTimeout)
	defer timer.Stop()
	select {
	case <-l.done:
	case <-timer.C:
		l.fail(fmt.Errorf("%w %s for transaction", ErrStartupTimeout, packageID))
	}
	if _, err := l.report(false); err != nil {
		p.registry.deregister(packageID)
	}
	close(l.settled)
}

// LaunchAll launches every installed chaincode, one after another, as the peer does when it starts. It treats all as
// committed, while Fabric's peer only builds those that have no definition on a channel.
func (p *Peer) LaunchAll(ctx context.Context) error {
	ids, err := p.Installed()
	if err != nil {
		return err
	}
	var errs []error
	for _, id := range ids {
		if _, err := p.Launch(ctx, id); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
