package launch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/containerd/errdefs"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/network"
)

// stopped is the exit status of a run that was told to stop before its chaincode was started: 128 + SIGTERM.
const stopped = cli.Status(143)

// errTakenOver says that a later run of the same chaincode is there.
var errTakenOver = errors.New("a later run of this chaincode has taken over")

// errInputLost says that the engine was restarted between attach and start: the chaincode would wait for its TLS files
// for ever.
var errInputLost = errors.New("the connection that carries the TLS files was lost")

// run launches the chaincode and stays with it.
func (l *launch) run(ctx context.Context) error {
	s, err := l.launch(ctx)
	switch {
	case errors.Is(err, errTakenOver):
		l.log.Info("a later run of this chaincode is there already: ending", "chaincode_id", l.chaincode.ID)
		return nil
	case err != nil && ctx.Err() != nil:
		l.log.Info("stopped before the chaincode was started", "chaincode_id", l.chaincode.ID, "reason", context.Cause(ctx))
		return stopped
	case err != nil:
		return fmt.Errorf("starting chaincode %s: %w", l.chaincode.ID, err)
	}
	return l.stay(ctx, s)
}

// launch creates and starts the container, inside the peer's own start time-out: a container that is started later
// would meet a peer that has given up, or the container of its next try.
func (l *launch) launch(ctx context.Context) (*session, error) {
	limit := l.settings.Chaincode.StartupTimeout
	starting, cancel := context.WithDeadlineCause(ctx, l.began.Add(limit),
		fmt.Errorf("more than %v have passed, see chaincode.startuptimeout", limit))
	defer cancel()
	chosen, err := l.networks(starting)
	if err != nil {
		return nil, err
	}
	s, err := l.tryAgain(ctx, starting, chosen)
	if err != nil && errors.Is(starting.Err(), context.DeadlineExceeded) {
		return nil, context.Cause(starting)
	}
	return s, err
}

// tryAgain tries once more after a prune has taken the container away, or a restart of the engine its input; and once
// more after a prune has taken the image. A prune may take both, in any order.
func (l *launch) tryAgain(ctx, starting context.Context, chosen network.Networks) (*session, error) {
	p, err := l.prepare(chosen)
	if err != nil {
		return nil, err
	}
	for recreated, rebuilt := false, false; ; {
		s, err := l.try(ctx, starting, p)
		switch {
		case err == nil, starting.Err() != nil:
			return s, err
		case errors.Is(err, errImageGone) && !rebuilt:
			rebuilt = true
			if err := l.rebuildImage(starting); err != nil {
				return nil, err
			}
			if p, err = l.prepare(chosen); err != nil { // the new image may take its TLS files in another way
				return nil, err
			}
		case (errdefs.IsNotFound(err) || errors.Is(err, errInputLost)) && !recreated:
			recreated = true
			l.log.Warn("the container was removed before it was started, or has lost its input: creating it again", "error", err)
		default:
			return nil, err
		}
	}
}

// try goes from create to start once. The session that it returns lives as long as ctx; starting bounds the way there.
func (l *launch) try(ctx, starting context.Context, p prepared) (*session, error) {
	id, err := l.create(starting, p.spec)
	if err != nil {
		return nil, l.explainNetworks(starting, p.spec, err)
	}
	s, err := l.start(ctx, starting, id, p)
	if err != nil {
		return nil, errors.Join(l.explainNetworks(starting, p.spec, err), l.remove(ctx, id))
	}
	return s, nil
}

func (l *launch) start(ctx, starting context.Context, id string, p prepared) (*session, error) {
	if err := context.Cause(starting); err != nil {
		return nil, err
	}
	for _, name := range p.spec.Networks {
		if err := l.engine.Connect(starting, id, name, p.spec.Aliases); err != nil {
			return nil, err
		}
	}
	if err := l.upload(starting, id, p.tls); err != nil {
		return nil, err
	}
	// A session outlives the time for starting, but an engine that hangs must not make the opening outlive it.
	lasting, abandon := context.WithCancelCause(ctx)
	opened := context.AfterFunc(starting, func() { abandon(context.Cause(starting)) })
	defer opened()
	s, err := l.open(lasting, id, p.tls.input)
	if err != nil {
		return nil, err
	}
	if err := l.engine.Start(starting, id); err != nil {
		s.close()
		return nil, err
	}
	if p.tls.input != nil {
		if err := s.broken(); err != nil {
			s.close()
			return nil, fmt.Errorf("%w: %w", errInputLost, err)
		}
	}
	return s, nil
}

// maxReplaced bounds how many older containers of one name a run removes.
const maxReplaced = 5

// create makes the container, after removing an older one of the same chaincode.
func (l *launch) create(ctx context.Context, spec docker.Spec) (string, error) {
	for range maxReplaced {
		id, other, err := l.engine.CreateOrInspect(ctx, spec)
		switch {
		case errdefs.IsNotFound(err):
			// Not %w: an image does not come back by trying again.
			return "", fmt.Errorf("%w: %v", errImageGone, err)
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
	return "", fmt.Errorf("container %q comes back again and again", spec.Name)
}

// replace removes an older container of this chaincode. If its run still lives, the new name tells it why.
func (l *launch) replace(ctx context.Context, other docker.Container) error {
	l.log.Info("removing an older container of this chaincode", "chaincode_id", l.chaincode.ID, "container_id", other.ID, "status", other.Status)
	if err := l.engine.Rename(ctx, other.ID, metadata.ReplacedName(other.Name, other.ID)); err != nil {
		l.log.Debug("the older container keeps its name", "error", err)
	}
	return l.engine.Remove(ctx, other.ID)
}

// isLater says whether a container belongs to a run that began after this one. One without a readable label is older.
func (l *launch) isLater(other docker.Container) bool {
	began, err := time.Parse(time.RFC3339Nano, other.Labels[metadata.LabelBegan])
	return err == nil && began.After(l.began)
}
