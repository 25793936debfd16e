// SPDX-License-Identifier: Apache-2.0

package launch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/imagebuild"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/network"
)

// exitStopped is run's exit status if it is told to stop before the chaincode has started: 128 + SIGTERM.
const exitStopped = cli.Status(143)

// errTakenOver means that the container of a later run of the same chaincode exists.
var errTakenOver = errors.New("a later run of this chaincode has taken over")

// errInputLost means that the engine was restarted between attach and start: the chaincode would wait for its TLS files
// forever.
var errInputLost = errors.New("the connection that delivers the TLS files was lost")

// errNoAnswer means that a signal came while the engine was starting the container. The chaincode may be running before
// the engine answers, so it is to be stopped like one that runs.
var errNoAnswer = errors.New("the engine has not answered whether the container has started")

// run starts the chaincode and supervises it until it ends.
func (l *launch) run(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() {
		now := time.Now()
		l.signalled.Store(&now)
	})()
	s, err := l.start(ctx)
	l.counts.countLaunch(ctx, time.Since(l.began), err, l.timeLeft())
	switch {
	case errors.Is(err, errTakenOver):
		l.log.Info("a later run of this chaincode has already started: exiting")
		return nil
	case err != nil && ctx.Err() != nil:
		l.reportNotStarted(ctx, err)
		return exitStopped
	case err != nil:
		return fmt.Errorf("starting the chaincode: %w", err)
	}
	return l.supervise(ctx, s)
}

// start creates and starts the container within chaincode.startuptimeout, after which the peer gives up: a container
// that started later would find no peer waiting, or collide with the container of the peer's next attempt. The deadline
// does not apply to the session that start returns, nor to a build of the image: the peer's next attempt joins that.
func (l *launch) start(ctx context.Context) (*session, error) {
	limit := l.settings.Chaincode.StartupTimeout
	starting, cancel := context.WithDeadlineCause(ctx, l.began.Add(limit),
		fmt.Errorf("not started within %v (see chaincode.startuptimeout)", limit))
	defer cancel()
	networks, err := network.Choose(starting, l.engine, l.log, l.settings, l.chaincode.PeerAddress)
	if err != nil {
		return nil, orTooLate(starting, err)
	}
	if err := l.announceDebugging(networks); err != nil {
		return nil, err
	}
	return l.startWithRetry(starting, networks, func(gone imagebuild.Image) (imagebuild.Image, error) { return l.rebuildImage(ctx, gone) })
}

// orTooLate returns the error that says that the time to start is over if it is, and otherwise err.
func orTooLate(starting context.Context, err error) error {
	if cause := docker.Cause(starting); cause != nil && errors.Is(starting.Err(), context.DeadlineExceeded) {
		return cause
	}
	return err
}

// maxRecreated limits how often a container is created again. A cron job that prunes every few seconds can hit a launch more
// than once.
const maxRecreated = 3

// startWithRetry creates the container again if it was pruned, or lost its stdin to an engine restart, before it started;
// and builds the image again, once, if that was pruned. A prune may remove both, in either order.
func (l *launch) startWithRetry(ctx context.Context, networks network.Networks, rebuild func(imagebuild.Image) (imagebuild.Image, error)) (*session, error) {
	image := l.recordedImage()
	for recreated, rebuilt := 0, false; ; {
		p, err := l.prepare(image, networks) // each time: a rebuilt image may need another TLS delivery
		if err != nil {
			return nil, err
		}
		s, err := l.createAndStart(ctx, p)
		switch {
		case err == nil:
			return s, nil
		case ctx.Err() != nil:
			return nil, orTooLate(ctx, err)
		case errors.Is(err, docker.ErrNoImage) && !rebuilt:
			rebuilt = true
			if image, err = rebuild(image); err != nil {
				return nil, err
			}
			if late := docker.Cause(ctx); late != nil {
				return nil, fmt.Errorf("the image is built again, but its chaincode was %w: the peer's next attempt uses it", late)
			}
		case (errors.Is(err, docker.ErrNoContainer) || errors.Is(err, errInputLost)) && recreated < maxRecreated:
			recreated++
			l.log.Warn("the container was removed, or lost its input, before it started: creating it again", "error", err)
		default:
			return nil, err
		}
	}
}

// createAndStart creates the container and starts it. It leaves no container behind if the start fails.
func (l *launch) createAndStart(ctx context.Context, p prepared) (*session, error) {
	id, err := l.create(ctx, p.spec)
	if err != nil {
		return nil, l.explainNetworks(ctx, p.spec, err)
	}
	s, err := l.startContainer(ctx, id, p)
	if s != nil {
		s.image = p.spec.Image
	}
	switch {
	case errors.Is(err, errNoAnswer):
		return s, nil
	case err != nil:
		return nil, errors.Join(l.explainPorts(ctx, p.spec, l.explainNetworks(ctx, p.spec, err)), l.removeNew(ctx, id))
	}
	fields := append([]any{"container_id", id, "image", p.spec.Image}, l.publishedPorts(ctx, id, p.spec)...)
	l.log.Info("the chaincode's container is running", fields...)
	return s, nil
}

// notRemoved is the error for a container that was created and could not be removed.
type notRemoved struct {
	id  string
	err error
}

func (n *notRemoved) Error() string { return n.err.Error() }
func (n *notRemoved) Unwrap() error { return n.err }

// removeNew removes a container that could not be started.
func (l *launch) removeNew(ctx context.Context, id string) error {
	if err := l.remove(ctx, id); err != nil {
		return &notRemoved{id, err}
	}
	return nil
}

// reportNotStarted logs, as the last line, that a signal came before the chaincode started.
func (l *launch) reportNotStarted(ctx context.Context, err error) {
	fields := []any{"reason", context.Cause(ctx)}
	if left := (*notRemoved)(nil); errors.As(err, &left) {
		l.log.Warn("stopped before the chaincode started, but its container was not removed in time: the next run of this chaincode removes it",
			append(fields, "container", l.containerName(), "container_id", left.id, "error", left.err)...)
		return
	}
	l.log.Info("stopped before the chaincode started", fields...)
}

// startContainer connects the container to its networks, delivers the TLS files, opens the session, removes older
// containers of the chaincode and starts this one, in this order. With errNoAnswer it also returns the session.
func (l *launch) startContainer(ctx context.Context, id string, p prepared) (*session, error) {
	if err := context.Cause(ctx); err != nil { // a create that is under way finishes even if ctx ends
		return nil, err
	}
	for _, name := range p.spec.Networks {
		if err := l.engine.Connect(ctx, id, name, p.spec.Aliases); err != nil {
			return nil, err
		}
	}
	if err := l.upload(ctx, id, p); err != nil {
		return nil, err
	}
	others := l.findOthers(ctx, id)
	s, err := l.open(ctx, id, p.tls.input)
	if err != nil {
		return nil, err
	}
	if err := l.replaceOthers(ctx, <-others); err != nil {
		s.close()
		return nil, err
	}
	if err := l.engine.Start(ctx, id); err != nil {
		if signal := context.Cause(ctx); errors.As(signal, new(cli.Stopped)) && errors.Is(err, signal) {
			return s, errNoAnswer
		}
		s.close()
		return nil, err
	}
	if p.tls.input != nil {
		if err := s.waitFailed(); err != nil {
			s.close()
			return nil, fmt.Errorf("%w: %w", errInputLost, err)
		}
	}
	return s, nil
}

// maxReplaced limits how many older containers with the same name a run removes.
const maxReplaced = 5

// create creates the container and returns its ID. It first removes an older container of the same chaincode.
func (l *launch) create(ctx context.Context, spec docker.Spec) (string, error) {
	for range maxReplaced {
		id, other, err := l.engine.CreateOrInspect(ctx, spec)
		switch {
		case err != nil:
			return "", err
		case other == nil:
			return id, nil
		case l.isLater(*other):
			return "", errTakenOver
		}
		if err := l.replace(ctx, *other); err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("creating container %q: an older one has the name, and %d times it could not be freed", spec.Name, maxReplaced)
}

// replace removes an older container of this chaincode. It renames it first: from the new name the older run, if it is
// still alive, learns that it was replaced. A container that cannot be removed stops the launch only if it still runs: two
// live containers of a chaincode would break the peer's connection to it.
func (l *launch) replace(ctx context.Context, other docker.Container) error {
	l.log.Info("removing an older container of this chaincode", "container_id", other.ID, "status", other.Status)
	if !metadata.IsReplacedName(other.Name) {
		if err := l.engine.Rename(ctx, other.ID, metadata.ReplacedName(other.Name, other.ID)); err != nil {
			l.log.Debug("cannot rename the older container", "error", err)
		}
	}
	removing, cancel := l.cleanUp(ctx)
	defer cancel()
	err := l.engine.Remove(removing, other.ID)
	if err == nil || ctx.Err() != nil {
		return err
	}
	now, lookErr := l.engine.Lookup(ctx, other.ID)
	if lookErr == nil && !now.IsRunning() {
		l.log.Warn("cannot remove an older container of this chaincode, which has ended", "container", now.Name, "error", err)
		return nil
	}
	return err
}

// findOthers looks for other containers of this chaincode of this peer, whatever their names: these change with the
// settings. It does so while the container is being prepared, but once it exists: of two runs at the same time, at least
// one sees the other's.
func (l *launch) findOthers(ctx context.Context, id string) <-chan []docker.Container {
	found := make(chan []docker.Container, 1)
	go func() {
		all, err := l.engine.List(ctx, l.identity())
		if err != nil && ctx.Err() == nil {
			l.log.Warn("cannot look for older containers of this chaincode", "error", err)
		}
		found <- slices.DeleteFunc(all, func(c docker.Container) bool {
			return c.ID == id || !metadata.IsContainerName(metadata.KindChaincode, c.Name)
		})
	}()
	return found
}

// replaceOthers removes older containers of this chaincode. It removes none if one of them belongs to a later run.
func (l *launch) replaceOthers(ctx context.Context, others []docker.Container) error {
	if slices.ContainsFunc(others, l.isLater) {
		return errTakenOver
	}
	for _, other := range others {
		if err := l.replace(ctx, other); err != nil {
			return err
		}
	}
	return nil
}

// isLater reports whether a container belongs to a run that began after this one. A container without a valid label
// counts as older, and so does one whose run seems to begin in the future: it began before the clock was set back.
func (l *launch) isLater(other docker.Container) bool {
	began, err := time.Parse(time.RFC3339Nano, other.Labels[metadata.LabelBegan])
	return err == nil && began.After(l.began) && !began.After(time.Now())
}
