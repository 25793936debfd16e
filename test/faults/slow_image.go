// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// slowImage lets the engine be slow for the leader, or for everybody, while ten follow. At most two may make the image at
// once, and nobody may remove the container of a builder that is alive.
func slowImage(ctx context.Context, s *stage, t *tally) error {
	// The first image of a base image is made in another way than later ones.
	for _, kind := range kinds {
		p, err := s.build(ctx, t, pack{kind: kind}.fresh(), s.host)
		if err != nil {
			return err
		}
		s.expectImage(ctx, t, p, "the first image")
	}
	for round := range t.rounds {
		if err := slowRound(ctx, s, t, round); err != nil {
			return err
		}
	}
	return nil
}

// slowCases are what is slow. The cases run at the same time, each with a content of its own.
var slowCases = []struct {
	name  string
	which func(*http.Request) bool
	all   bool // for every builder, not only for the leader
	delay time.Duration
}{
	{"the leader's load", isMaking, false, 75 * time.Second},
	{"the leader's download", isDownload, false, 75 * time.Second},
	{"the leader's upload", isUpload, false, 135 * time.Second},
	{"everybody's load", isMaking, true, 75 * time.Second},
}

func slowRound(ctx context.Context, s *stage, t *tally, round int) error {
	var working sync.WaitGroup
	seen, errs := make([]*watch, len(slowCases)), make([]error, len(slowCases))
	for i := range slowCases {
		kind := kinds[(round+i)%len(kinds)]
		p := pack{kind: kind, work: 500 * time.Millisecond, output: 1}.fresh()
		working.Go(func() { seen[i], errs[i] = s.slowCase(ctx, t, i, p) })
	}
	working.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, w := range seen {
		t.note("%s slow: %d made the image, at most %d at once, the last after %.0f s", w.name, w.made, w.most, w.longest().Seconds())
	}
	return nil
}

const slowFollowers = 10

// slowCase runs a leader and its followers, and returns what was seen of them.
func (s *stage) slowCase(ctx context.Context, t *tally, number int, p pack) (*watch, error) {
	c := slowCases[number]
	w := &watch{making: map[int]bool{}, tally: t, name: c.name}
	defer w.close()
	for i := range slowFollowers + 1 {
		delay := c.delay
		if i > 0 && !c.all {
			delay = 0
		}
		r, err := s.newRelay(ctx, fmt.Sprintf("slow%d-%d-%s", number, i, p.salt[:4]), w.hooks(ctx, i, c.which, delay))
		if err != nil {
			return nil, err
		}
		w.add(r)
		b, err := s.build(ctx, t, p, r.endpoint)
		if err != nil {
			return nil, err
		}
		w.started(b)
		if i == 0 {
			if err := w.awaitContainer(ctx); err != nil {
				return nil, err
			}
		}
	}
	for i, b := range w.builders {
		who := fmt.Sprintf("%s is slow, follower %d", c.name, i)
		if i == 0 {
			who = c.name + " is slow, the leader"
		}
		s.expectImage(ctx, t, b, who)
	}
	if w.most > 2 {
		t.fail(fmt.Sprintf("%s is slow: %d builders made the image at once", c.name, w.most), nil)
	}
	return w, nil
}

// watch sees what the builders of one content do.
type watch struct {
	tally *tally
	name  string

	mutex    sync.Mutex
	relays   []*relay
	builders []*program
	making   map[int]bool // who has begun to read the output of a build, and has not made the image yet
	most     int
	made     int
}

func (w *watch) add(r *relay) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.relays = append(w.relays, r)
}

// started records a builder. When it ends, it makes nothing any more.
func (w *watch) started(p *program) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	i := len(w.builders)
	w.builders = append(w.builders, p)
	go func() {
		p.status()
		w.stops(i)
	}()
}

func (w *watch) hooks(ctx context.Context, i int, which func(*http.Request) bool, delay time.Duration) hooks {
	return hooks{
		before: func(r *http.Request) {
			if isDownload(r) {
				w.makes(i)
			}
			if id := removes(r); id != "" {
				w.removed(i, id)
			}
			if delay > 0 && which(r) {
				held, cancel := context.WithCancel(ctx)
				defer cancel()
				context.AfterFunc(r.Context(), cancel)
				_ = pauseFor(held, delay) // a builder that has gone is not held up
			}
		},
		after: func(response *http.Response) {
			if isMaking(response.Request) {
				w.stops(i)
			}
		},
	}
}

func (w *watch) makes(i int) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if !w.making[i] {
		w.made++
	}
	w.making[i] = true
	w.most = max(w.most, len(w.making))
}

func (w *watch) stops(i int) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	delete(w.making, i)
}

// removed counts a failure if a builder removes the container of another one that is alive.
func (w *watch) removed(by int, id string) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for i, r := range w.relays {
		if i != by && r.has(id) && i < len(w.builders) && !w.builders[i].ended() {
			w.tally.fail(fmt.Sprintf("%s is slow: builder %d removes container %s of builder %d, which is alive", w.name, by, id, i), nil)
		}
	}
}

// awaitContainer waits until the first builder has created its build container.
func (w *watch) awaitContainer(ctx context.Context) error {
	for len(w.relays[0].buildContainers()) == 0 && !w.builders[0].ended() {
		if err := pauseFor(ctx, 5*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// longest returns how long the slowest builder lived.
func (w *watch) longest() time.Duration {
	var longest time.Duration
	for _, b := range w.builders {
		longest = max(longest, b.lived)
	}
	return longest
}

func (w *watch) close() {
	for _, r := range w.relays {
		r.close()
	}
}
