// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"fabric-builder-docker/test/peer"
)

// launchPrefix is the prefix of images for launches, which forget does not remove.
const launchPrefix = prefix + "-launch"

// contender is a way to start a chaincode, with its own peer.
type contender struct {
	way     string // empty: our run
	peer    *peer.Peer
	journal peer.Journal
	id      string
	figures *series
}

// contender installs a package on a new peer whose run is the given way.
func (b *bench) contender(ctx context.Context, name, way, image string, pkg []byte, figures *series) (*contender, error) {
	replaced := map[string]string{}
	if way != "" {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		replaced["run"] = self
	}
	builder, err := b.newBuilder(name, launchPrefix, b.host, replaced)
	if err != nil {
		return nil, err
	}
	c := &contender{way: way, figures: figures}
	c.peer, err = peer.Start(ctx, peer.Options{
		BuilderPath: builder, Dir: filepath.Join(b.scratch, "peer-"+name), TLS: way != "bare", Log: c.journal.Log,
		StartupTimeout: time.Minute, TermTimeout: time.Minute, ShutdownTimeout: time.Minute,
		Propagate: []string{"DOCKER_HOST=" + b.host, "GOPROXY=" + goProxy(),
			wayVariable + "=" + way, imageVariable + "=" + image, fmt.Sprintf("%s=%v", strictVariable, b.strict)},
	})
	if err != nil {
		return nil, err
	}
	b.closers = append(b.closers, c.peer.Close)
	if c.id, err = c.peer.Install(ctx, pkg); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, &c.journal)
	}
	return c, nil
}

// launch measures until the peer answers REGISTERED: from the exec of our run, and from the first call of a stand-in.
func (c *contender) launch(ctx context.Context) error {
	launched, err := c.peer.Launch(ctx, c.id)
	if err != nil {
		return fmt.Errorf("launching (%s): %w\n%s", c.way, err, &c.journal)
	}
	took := launched.Registered
	if c.way != "" {
		var began time.Time
		if began, err = beganAt(launched.Run.Args()[1]); err == nil {
			took -= began.Sub(launched.Run.Started())
		}
	}
	c.figures.took(took)
	return errors.Join(err, c.peer.Stop(ctx, c.id))
}
