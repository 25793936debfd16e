// SPDX-License-Identifier: Apache-2.0

package baseimages

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"fabric-builder-docker/test/engine"
)

// puller pulls images, and stops trying when no registry answers.
type puller struct {
	client streamer
	log    io.Writer
	// firstMessage bounds how long all pulls together may wait for the first progress message. Without access to a
	// registry, a name server may never answer.
	firstMessage time.Duration
	// silence bounds the time between two progress messages of a pull.
	silence time.Duration

	waited time.Duration
	gaveUp bool
}

// streamer is the part of an engine's client that a pull uses.
type streamer interface {
	Stream(ctx context.Context, path string, body io.Reader, sign func()) error
}

func newPuller(client streamer, log io.Writer) *puller {
	return &puller{client: client, log: log, firstMessage: 10 * time.Second, silence: time.Minute}
}

// pull reports whether the engine has the image afterwards. Without a registry it returns false, and a stand-in is
// used.
func (p *puller) pull(ctx context.Context, ref string) bool {
	if p.gaveUp || ctx.Err() != nil {
		return false
	}
	err := engine.Timed(p.log, "pulling "+ref, func() error { return p.try(ctx, ref) })
	if err == nil {
		return true
	}
	fmt.Fprintf(p.log, "pulling %s: %v\n", ref, err)
	// A registry that lacks this image may have the others.
	p.gaveUp = !engine.NotFound(err) || p.waited >= p.firstMessage
	return false
}

func (p *puller) try(ctx context.Context, ref string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	begin, heard := time.Now(), false
	watchdog := time.AfterFunc(p.firstMessage-p.waited, func() { cancel(errors.New("no progress from the registry")) })
	defer watchdog.Stop()
	sign := func() {
		if !heard {
			heard = true
			p.waited += time.Since(begin)
		}
		watchdog.Reset(p.silence)
	}
	name, tag, _ := strings.Cut(ref, ":")
	query := url.Values{"fromImage": {name}, "tag": {tag}}
	err := p.client.Stream(ctx, "/images/create?"+query.Encode(), nil, sign)
	if !heard {
		p.waited += time.Since(begin)
	}
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}
