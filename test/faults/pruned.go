// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"sync"
	"time"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/test/engine"
)

// pruned removes containers, volumes and images that are not in use, again and again, during builds and runs. None may fail.
func pruned(ctx context.Context, s *stage, t *tally) error {
	pruning, stop := context.WithCancel(ctx)
	defer stop()
	prunes := 0
	random := rand.New(rand.NewPCG(t.random.Uint64(), t.random.Uint64()))
	ended := make(chan error, 1)
	go func() {
		var err error
		prunes, err = s.pruneUntil(pruning, random)
		ended <- err
	}()
	jobs := make(chan pruneJob)
	var working sync.WaitGroup
	var mutex sync.Mutex
	var failure error
	for range pruneWorkers {
		working.Go(func() {
			for j := range jobs {
				if err := s.buildAndRun(ctx, t, j); err != nil {
					mutex.Lock()
					failure = errors.Join(failure, err)
					mutex.Unlock()
				}
			}
		})
	}
	for _, j := range pruneJobs(t) {
		jobs <- j
	}
	close(jobs)
	working.Wait()
	stop()
	if err := errors.Join(failure, <-ended); err != nil {
		return err
	}
	t.note("%d prunes", prunes)
	return nil
}

// pruneWorkers is how many builds and runs there are at a time.
const pruneWorkers = 3

// pruneJob is a build, and a run of what it has built.
type pruneJob struct {
	name string
	pack
	launch bool
}

// pruneJobs returns builds and runs, together as many as the rounds: two builds, one of them followed by a run. Every third
// build has the content of an earlier one.
func pruneJobs(t *tally) []pruneJob {
	var jobs []pruneJob
	for i, counted := 0, 0; counted < t.rounds; i++ {
		j := pruneJob{name: fmt.Sprintf("package %d", i+1), launch: i%2 == 1 && counted+1 < t.rounds}
		if i%3 == 2 {
			j.pack = jobs[t.random.IntN(len(jobs))].pack
			j.name += ", of an earlier content"
		} else {
			j.pack = pack{
				kind: kinds[t.random.IntN(len(kinds))], work: time.Second + t.upTo(2*time.Second),
				output: t.random.IntN(5), upload: t.random.IntN(5), trees: t.random.IntN(20),
			}.fresh()
		}
		counted++
		if j.launch {
			counted++
		}
		jobs = append(jobs, j)
	}
	return jobs
}

func (s *stage) buildAndRun(ctx context.Context, t *tally, j pruneJob) error {
	built, err := s.build(ctx, t, j.pack, s.host)
	if err != nil {
		return err
	}
	if !t.expect(built, j.name) || !j.launch {
		return nil
	}
	ran, err := s.launch(ctx, t, built.pkg)
	if err != nil {
		return err
	}
	t.expect(ran, j.name)
	return nil
}

// pruneUntil prunes every 3 to 5 s until the context ends, and returns how often.
func (s *stage) pruneUntil(ctx context.Context, random *rand.Rand) (int, error) {
	for count := 0; ; count++ {
		if pauseFor(ctx, 3*time.Second+time.Duration(random.Int64N(int64(2*time.Second)))) != nil {
			return count, nil
		}
		if err := s.prune(ctx); err != nil && ctx.Err() == nil {
			return count, err
		}
	}
}

// prune removes, as an operator does, what is not in use. Images are removed if they are the programs' own or have no name:
// the base images must stay, and their containers, which would keep them, would have to run for that.
func (s *stage) prune(ctx context.Context) error {
	ours := url.QueryEscape(fmt.Sprintf(`{"dangling":["false"],"label":[%q]}`, metadata.LabelKind))
	var errs []error
	unnamed := url.QueryEscape(`{"dangling":["true"]}`)
	for _, path := range []string{"/containers/prune", "/volumes/prune", "/images/prune?filters=" + unnamed, "/images/prune?filters=" + ours} {
		if err := s.engine.Post(ctx, path, nil, nil); err != nil && !busy(err) {
			errs = append(errs, fmt.Errorf("calling %s: %w", path, err))
		}
	}
	return errors.Join(errs...)
}

// busy reports whether an engine refused a prune because another one is running, or because an object went meanwhile.
func busy(err error) bool {
	var answer *engine.Error
	return errors.As(err, &answer) && (answer.Status == 409 || answer.Status == 500)
}
