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

// puller tries to pull images and remembers that no registry answers.
type puller struct {
	client streamer
	log    io.Writer
	// firstSign bounds how long all pulls together may wait for a registry's
	// first sign of life: without a registry a name server may keep silent.
	firstSign time.Duration
	// silence bounds the pause between two signs of a pull that is under way.
	silence time.Duration

	waited time.Duration
	gaveUp bool
}

// streamer is an engine's client as a pull needs it.
type streamer interface {
	Stream(ctx context.Context, path string, body io.Reader, sign func()) error
}

func newPuller(client streamer, log io.Writer) *puller {
	return &puller{client: client, log: log, firstSign: 10 * time.Second, silence: time.Minute}
}

// pull tells whether the engine has the image afterwards. That there is no
// registry is not an error: there are stand-ins.
func (p *puller) pull(ctx context.Context, ref string) bool {
	if p.gaveUp || ctx.Err() != nil {
		return false
	}
	err := engine.Timed(p.log, "pulling "+ref, func() error { return p.try(ctx, ref) })
	if err == nil {
		return true
	}
	fmt.Fprintf(p.log, "pulling %s: %v\n", ref, err)
	// A registry that does not have this one may have the others.
	p.gaveUp = !engine.NotFound(err) || p.waited >= p.firstSign
	return false
}

func (p *puller) try(ctx context.Context, ref string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	begin, heard := time.Now(), false
	watchdog := time.AfterFunc(p.firstSign-p.waited, func() { cancel(errors.New("the registry keeps silent")) })
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
