package peer

import (
	"context"
	"errors"
	"fmt"
	"time"
)

var (
	// ErrStartupTimeout means that the chaincode was not ready in time. Its
	// run lives on.
	ErrStartupTimeout = errors.New("timeout expired while starting chaincode")
	// ErrServer means that release left a connection.json. Fabric's peer would
	// dial the chaincode and never call run.
	ErrServer = errors.New("chaincode is a server")
)

// Launched says how a launch went.
type Launched struct {
	// Run is the program behind the chaincode.
	Run *Process
	// Registered and Ready are the times from the execution of run to the two
	// answers to REGISTER. They are also those of an earlier launch when the
	// chaincode was connected already.
	Registered, Ready time.Duration
}

// Launch makes sure that a chaincode is connected: it builds the package if
// its build is gone, starts run and waits for REGISTER, for run's end or for
// StartupTimeout. A launch under way is joined. The context bounds the waiting
// and not the launch.
func (p *Peer) Launch(ctx context.Context, packageID string) (Launched, error) {
	l, known := p.registry.launching(packageID)
	if !known {
		go p.startup(packageID, l)
		go p.watch(packageID, l)
	}
	select {
	case <-l.settled:
	case <-ctx.Done():
		return Launched{}, fmt.Errorf("launching %s: %w", packageID, context.Cause(ctx))
	}
	return l.report(known)
}

// report is what a caller of Launch is told. One that has joined is told of
// every failure as one of the registration, as in Fabric.
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

// startup starts run and, when that ends, makes it the launch's outcome unless
// there is one.
func (p *Peer) startup(packageID string, l *launch) {
	if err := p.built(packageID); err != nil {
		l.fail(fmt.Errorf("error building chaincode: error building image: %w", err))
		return
	}
	var run *Process
	var err error
	// Inside, so that a chaincode that is very fast finds the launch with its
	// run in it.
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

// watch settles a launch. A failed one leaves the registry, and with it its
// handler; its run is not stopped.
func (p *Peer) watch(packageID string, l *launch) {
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

// LaunchAll launches every installed chaincode, one after another as the peer
// does at its start. There all count as committed: Fabric's peer only builds
// those that no channel has a definition of.
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
