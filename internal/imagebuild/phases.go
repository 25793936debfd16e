package imagebuild

import (
	"context"
	"sync"
	"time"

	"fabric-builder-docker/internal/buildlog"
	"fabric-builder-docker/internal/figures"
)

// phase is what a build spends its time on, as the log calls it.
type phase struct {
	key   string // of its duration in the log and in the figures
	still string // what the log says while it goes on
}

var (
	preparing = phase{figures.Preparing, "still preparing the build"}
	waiting   = phase{figures.Waiting, "still waiting for another builder"}
	pulling   = phase{figures.Pulling, "still pulling an image"}
	building  = phase{figures.Building, "still building"}
	making    = phase{figures.Making, "still making the image"}
)

// phases knows what a build is doing, and how long it has spent on what. It is safe for concurrent use. A nil one knows nothing.
type phases struct {
	mu    sync.Mutex
	now   phase
	since time.Time
	spent map[phase]time.Duration
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

// heartbeat says what a build is doing whenever nothing has been written for Periods.Silence. The caller must call stop.
func (b *Builder) heartbeat(ctx context.Context) (stop func()) {
	if b.Periods.Silence == 0 {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.beat(ctx)
	}()
	return func() {
		cancel()
		<-ended
	}
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
	b.Log.Info(now.still, fields...)
}
