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

// leaderKilled kills the leader at each step, and measures how much longer the next build of the content takes than one that
// nothing disturbs.
func leaderKilled(ctx context.Context, s *stage, t *tally) error {
	for round := range t.rounds {
		kind := kinds[round%len(kinds)]
		usual, err := s.undisturbed(ctx, t, kind)
		if err != nil {
			return err
		}
		t.note("%s: undisturbed %.1f s", kind, usual.Seconds())
		var working sync.WaitGroup
		longer, errs := make([]time.Duration, len(steps)), make([]error, len(steps))
		for i := range steps {
			working.Go(func() { longer[i], errs[i] = s.killAt(ctx, t, steps[i], killedPack(kind), usual) })
		}
		working.Wait()
		if err := errors.Join(errs...); err != nil {
			return err
		}
		for i, step := range steps {
			t.note("%s +%.1f s", step.name, longer[i].Seconds())
		}
	}
	return nil
}

// killedPack returns a package whose upload and download take a while.
func killedPack(kind string) pack {
	return pack{kind: kind, work: 2 * time.Second, output: 20, upload: 8}.fresh()
}

// undisturbed returns how long a build takes, the first one of a base image left out.
func (s *stage) undisturbed(ctx context.Context, t *tally, kind string) (time.Duration, error) {
	var took time.Duration
	for range 2 {
		p, err := s.build(ctx, t, killedPack(kind), s.host)
		if err != nil {
			return 0, err
		}
		s.expectImage(ctx, t, p, "undisturbed")
		took = p.lived
	}
	return took, nil
}

// step is a moment to kill a leader at. Its hooks call kill.
type step struct {
	name    string
	allowed time.Duration // that the next build may take longer
	hooks   func(kill func()) hooks
}

// What the next build may take longer. Between create and start an upload may be under way.
const (
	patience       = 10 * time.Second
	uploadPatience = 60*time.Second + patience
)

var steps = []step{
	{"after create", uploadPatience, func(kill func()) hooks {
		return hooks{create: func(build bool, status int) {
			if build && status == http.StatusCreated {
				kill()
			}
		}}
	}},
	{"during upload", uploadPatience, func(kill func()) hooks {
		return hooks{before: func(r *http.Request) {
			if isUpload(r) {
				r.Body = &watched{ReadCloser: r.Body, after: 1 << 20, then: kill}
			}
		}}
	}},
	{"after start", patience, func(kill func()) hooks {
		return hooks{after: func(response *http.Response) {
			if isStart(response.Request) {
				kill()
			}
		}}
	}},
	{"in mid-build", patience, func(kill func()) hooks {
		return hooks{after: func(response *http.Response) {
			if isStart(response.Request) {
				time.AfterFunc(time.Second, kill)
			}
		}}
	}},
	{"after the build's end", patience, func(kill func()) hooks {
		return hooks{before: func(r *http.Request) {
			if isDownload(r) {
				kill()
			}
		}}
	}},
	{"during download", patience, func(kill func()) hooks {
		return hooks{after: func(response *http.Response) {
			if isDownload(response.Request) {
				response.Body = &watched{ReadCloser: response.Body, after: 4 << 20, then: kill}
			}
		}}
	}},
	{"during load", patience, func(kill func()) hooks {
		return hooks{before: func(r *http.Request) {
			if isMaking(r) {
				r.Body = &watched{ReadCloser: r.Body, after: 4 << 20, then: kill}
			}
		}}
	}},
}

// killAt kills the leader of a build at a step, builds the same content, and returns how much longer that took than usual.
func (s *stage) killAt(ctx context.Context, t *tally, at step, p pack, usual time.Duration) (time.Duration, error) {
	killed := make(chan struct{})
	var leader *program
	var once sync.Once
	ready := make(chan struct{}) // closed once leader is set
	kill := func() {
		once.Do(func() {
			<-ready
			close(killed) // before the leader can have ended
			_ = leader.cmd.Process.Kill()
		})
	}
	r, err := s.newRelay(ctx, "killed-"+p.salt[:6], at.hooks(kill))
	if err != nil {
		return 0, err
	}
	defer r.close()
	if leader, err = s.build(ctx, t, p, r.endpoint); err != nil {
		return 0, err
	}
	close(ready)
	status := leader.status()
	select {
	case <-killed:
	default:
		t.fail(fmt.Sprintf("%s: the leader ended with %d before that", at.name, status), leader)
		return 0, nil
	}
	for _, id := range r.buildContainers() {
		t.excuse(id) // it stays until its time-out: nobody knows that the leader is dead
	}
	next, err := s.build(ctx, t, p, s.host)
	if err != nil {
		return 0, err
	}
	s.expectImage(ctx, t, next, "killed "+at.name+", the next build")
	longer := next.lived - usual
	if longer > at.allowed {
		t.fail(fmt.Sprintf("killed %s: the next build took %.1f s longer, at most %.0f s are allowed", at.name, longer.Seconds(), at.allowed.Seconds()), next)
	}
	return longer, nil
}
