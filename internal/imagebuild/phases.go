// SPDX-License-Identifier: Apache-2.0

package imagebuild

import (
	"context"
	"fmt"
	"sync"
	"time"

	"fabric-builder-docker/internal/buildlog"
	"fabric-builder-docker/internal/docker"
	"fabric-builder-docker/internal/figures"
)

// phase is what a build spends its time on, as the log calls it.
type phase struct {
	key   string // of its duration in the log and in the figures
	doing string // what the log and the status line say while it goes on
}

var (
	preparing = phase{figures.Preparing, "preparing the build"}
	waiting   = phase{figures.Waiting, "waiting for another builder"}
	pulling   = phase{figures.Pulling, "pulling an image"}
	building  = phase{figures.Building, "building"}
	making    = phase{figures.Making, "making the image"}
)

// phases knows what a build is doing, and how long it has spent on what. It is safe for concurrent use. A nil one knows nothing.
type phases struct {
	mu    sync.Mutex
	now   phase
	since time.Time
	pull  pull // the one that goes on, or the last one
	spent map[phase]time.Duration
}

// pull is how far the pull of an image is.
type pull struct {
	image    string
	progress docker.PullProgress
}

func newPhases() *phases {
	return &phases{now: preparing, since: time.Now(), spent: map[phase]time.Duration{}}
}

// enter begins a phase. The caller must call leave, which returns to the phase before.
func (p *phases) enter(next phase) (leave func()) {
	if p == nil {
		return func() {}
	}
	before := p.change(next)
	return func() { p.change(before) }
}

func (p *phases) change(next phase) (before phase) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.spent[p.now] += now.Sub(p.since)
	p.pull = pull{}
	before, p.now, p.since = p.now, next, now
	return before
}

// current returns the phase that goes on, and since when.
func (p *phases) current() (phase, time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now, p.since
}

// each calls do with how long each phase has taken.
func (p *phases) each(do func(key string, spent time.Duration)) {
	now, _ := p.current()
	p.change(now) // adds what this one has taken
	p.mu.Lock()
	defer p.mu.Unlock()
	for phase, spent := range p.spent {
		do(phase.key, spent)
	}
}

// notePull notes how far the pull of an image is.
func (p *phases) notePull(image string, progress docker.PullProgress) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pull = pull{image, progress}
}

// pulled returns how far the pull is that goes on; false if none does, or if the engine does not say.
func (p *phases) pulled() (pull, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pull, p.now == pulling && p.pull.image != ""
}

// minPhase is the duration of the shortest phase that the log mentions.
const minPhase = 10 * time.Millisecond

// Phases returns how long the last build has spent on what, as keys and values for the log. What took no time is left out.
func (b *Builder) Phases() []any {
	if b.phases == nil {
		return nil
	}
	b.phases.mu.Lock()
	defer b.phases.mu.Unlock()
	var fields []any
	for _, p := range []phase{waiting, pulling, building, making} {
		if spent := b.phases.spent[p]; spent >= minPhase {
			fields = append(fields, p.key, buildlog.Round(spent))
		}
	}
	return fields
}

// heartbeat says what a build is doing: on the status line if there is one, else in the log whenever nothing has been written for
// Periods.Silence. The caller must call stop.
func (b *Builder) heartbeat(ctx context.Context, label string) (stop func()) {
	say := b.beat
	switch {
	case b.Status != nil:
		prefix := linePrefix(label)
		say = func(ctx context.Context) { b.redraw(ctx, prefix) }
	case b.Periods.Silence == 0:
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		say(ctx)
	}()
	return func() {
		cancel()
		<-ended
	}
}

// redraw keeps the status line up to date.
func (b *Builder) redraw(ctx context.Context, prefix string) {
	defer b.Status("")
	for {
		b.Status(prefix + b.statusText())
		select {
		case <-ctx.Done():
			return
		case <-time.After(b.Periods.Redraw):
		}
	}
}

// statusText says what the build is doing, for how long, and how far it is.
func (b *Builder) statusText() string {
	now, since := b.phases.current()
	text := fmt.Sprintf("%s, %v", now.doing, time.Since(since).Truncate(time.Second))
	if pull, ok := b.phases.pulled(); ok {
		return fmt.Sprintf("%s, %v, %s", text, pull.progress, pull.image)
	}
	if lines, last := b.printed.Progress(); lines > 0 && (now == building || now == waiting) {
		text += fmt.Sprintf(", %d lines: %s", lines, last)
	}
	return text
}

func (b *Builder) beat(ctx context.Context) {
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(last.Add(b.Periods.Silence))):
		}
		if b.LastWrite != nil {
			if written := b.LastWrite(); written.After(last) {
				last = written
				continue
			}
		}
		b.sayStill()
		last = time.Now()
	}
}

// sayStill says what the build is doing.
func (b *Builder) sayStill() {
	now, since := b.phases.current()
	fields := []any{"for", time.Since(since).Round(time.Second)}
	if lines, last := b.printed.Progress(); lines > 0 && (now == building || now == waiting) {
		fields = append(fields, "output_lines", lines, "last_line", last)
	}
	if pull, ok := b.phases.pulled(); ok {
		fields = append(fields, "image", pull.image, "progress", pull.progress.String())
	}
	b.Log.Info("still "+now.doing, fields...)
}
