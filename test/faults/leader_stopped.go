// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"fabric-builder-docker/internal/metadata"
)

// leaderStopped sends SIGTERM to the leader of a build at any moment, while four follow, and lets three more come at once.
// None of these seven may fail.
func leaderStopped(ctx context.Context, s *stage, t *tally) (err error) {
	stop, err := keepBusy(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	untouched := 0
	for round := range t.rounds {
		others, err := s.stopLeader(ctx, t, round)
		if err != nil {
			return err
		}
		for _, o := range others {
			s.expectImage(ctx, t, o.program, fmt.Sprintf("round %d, %s", round+1, o.who))
		}
		untouched += len(others)
	}
	t.note("%d of them untouched", untouched)
	return nil
}

// untouched is a builder that nobody stops.
type untouched struct {
	*program
	who string
}

// kinds are the package types in turn.
var kinds = []string{"node", "golang"}

// How the leader is stopped.
const (
	followers  = 4
	newcomers  = 3
	comeWithin = 150 * time.Millisecond
	stopWithin = 2500 * time.Millisecond // a build takes about as long here
)

// stopLeader plays a round until all builders have been started, and returns those that are not stopped.
func (s *stage) stopLeader(ctx context.Context, t *tally, round int) ([]untouched, error) {
	p := pack{kind: kinds[round%len(kinds)], work: 800 * time.Millisecond, trees: 20}.fresh()
	moment := t.upTo(stopWithin)
	leader, err := s.lead(ctx, t, p)
	if err != nil {
		return nil, err
	}
	var others []untouched
	follow := func(who string) error {
		follower, err := s.build(ctx, t, p, s.host)
		others = append(others, untouched{follower, fmt.Sprintf("%s, the leader stopped %v after it had created its container", who, moment.Round(time.Millisecond))})
		return err
	}
	stopped := time.Now().Add(moment)
	for i := range followers {
		if err := follow(fmt.Sprintf("follower %d", i+1)); err != nil {
			return nil, err
		}
	}
	if err := pauseFor(ctx, time.Until(stopped)); err != nil {
		return nil, err
	}
	if !leader.ended() {
		if err := leader.cmd.Process.Signal(syscall.SIGTERM); err != nil && !leader.ended() {
			return nil, fmt.Errorf("stopping the leader: %w", err)
		}
	}
	for i := range newcomers {
		if err := pauseFor(ctx, t.upTo(comeWithin/newcomers)); err != nil {
			return nil, err
		}
		if err := follow(fmt.Sprintf("newcomer %d", i+1)); err != nil {
			return nil, err
		}
	}
	leader.status()
	return others, nil
}

// lead starts a build, and returns when it has created its build container, or has ended.
func (s *stage) lead(ctx context.Context, t *tally, p pack) (*program, error) {
	known, err := s.buildContainers(ctx)
	if err != nil {
		return nil, err
	}
	leader, err := s.build(ctx, t, p, s.host)
	if err != nil {
		return nil, err
	}
	for !leader.ended() {
		now, err := s.buildContainers(ctx)
		if err != nil {
			return nil, err
		}
		for id := range now {
			if !known[id] {
				return leader, nil
			}
		}
		if err := pauseFor(ctx, 5*time.Millisecond); err != nil {
			return nil, err
		}
	}
	return leader, nil
}

// buildContainers returns the IDs of the build containers on the engine.
func (s *stage) buildContainers(ctx context.Context) (map[string]bool, error) {
	all, err := s.containers(ctx, metadata.KindBuild)
	ids := map[string]bool{}
	for _, c := range all {
		ids[c.ID] = true
	}
	return ids, err
}
