// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// scenario is one kind of fault.
type scenario struct {
	name   string // what -only is matched with
	rounds int
	prunes bool // needs an engine that nobody else uses
	run    func(ctx context.Context, s *stage, t *tally) error
}

// scenarioLimit bounds a scenario. One that takes longer has hung.
const scenarioLimit = 20 * time.Minute

func scenarios() []scenario {
	return []scenario{
		{name: "leader stopped", rounds: 30, run: leaderStopped},
		{name: "pruned", rounds: 54, prunes: true, run: pruned},
		{name: "slow image", rounds: 1, run: slowImage},
		{name: "leader killed", rounds: 1, run: leaderKilled},
		{name: "two builders", rounds: 30, run: twoBuilders},
	}
}

func run(ctx context.Context, opts options) (err error) {
	s, err := newStage(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(ctx)) }()
	fmt.Printf("engine %s, seed %d\n", s.version, opts.seed)
	failed, ran := 0, 0
	for _, scenario := range scenarios() {
		if opts.only != nil && !opts.only.MatchString(scenario.name) {
			continue
		}
		ran++
		if scenario.prunes && !opts.alone {
			fmt.Printf("%s: left out, since the engine is not this run's own (-alone if nobody else uses it)\n", scenario.name)
			continue
		}
		failures, err := s.play(ctx, scenario, opts)
		if err != nil {
			return fmt.Errorf("%s: %w", scenario.name, err)
		}
		failed += failures
	}
	switch {
	case ran == 0:
		return errors.New("choosing scenarios: none has such a name")
	case failed > 0:
		return fmt.Errorf("%d failures (-seed %d repeats this run)", failed, opts.seed)
	}
	return nil
}

// play runs one scenario, prints its line, and returns how much failed.
func (s *stage) play(ctx context.Context, scenario scenario, opts options) (int, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, scenarioLimit, fmt.Errorf("it did not end within %v", scenarioLimit))
	defer cancel()
	t := newTally(scenario, opts)
	began := time.Now()
	dangling, err := s.unnamedImages(ctx)
	if err != nil {
		return 0, err
	}
	if err := scenario.run(ctx, s, t); err != nil {
		return 0, err
	}
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	if err := s.checkLeft(ctx, t, dangling); err != nil {
		return 0, err
	}
	fmt.Printf("%s: %s (%.0f s)\n", scenario.name, t, time.Since(began).Seconds())
	return t.failures(), s.clean(ctx)
}

// newTally returns the tally of a scenario. Its random numbers do not depend on which other scenarios run.
func newTally(scenario scenario, opts options) *tally {
	t := &tally{name: scenario.name, rounds: scenario.rounds}
	if opts.rounds > 0 {
		t.rounds = opts.rounds
	}
	hash := fnv.New64a()
	hash.Write([]byte(scenario.name))
	t.random = rand.New(rand.NewPCG(opts.seed, hash.Sum64()))
	return t
}
