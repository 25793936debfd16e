// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"fabric-builder-docker/test/peer"
)

// most is the largest number of chaincodes.
const most = 50

// crowd is a peer with many chaincodes of the same content.
type crowd struct {
	*bench
	peer    *peer.Peer
	journal peer.Journal
	ids     []string
	image   string
}

// crowdCases launch many chaincodes at once, compared with as many "docker run -d" with the same limits, and read the
// memory of the runs while all are up.
func (b *bench) crowdCases() []benchCase {
	const section = "Many at once, until all are REGISTERED"
	var cases []benchCase
	c := &crowd{bench: b}
	for _, n := range []int{1, 20, most} {
		goal := asked{of: cost}
		if n == most {
			goal.limit = 1.4
		}
		r := b.report.add(row{section: section, name: fmt.Sprintf("%d at once", n), unit: seconds,
			way: fmt.Sprintf("%d docker run -d", n), asked: goal})
		looks := looks{}
		rows := []*row{r}
		if n == most {
			looks = b.addLooks(section)
			rows = append(rows, looks.fresh, looks.resident, looks.anonymous, looks.threads)
		}
		cases = append(cases, benchCase{name: fmt.Sprintf("%d at once", n), rows: rows, measure: func(ctx context.Context, _ int) error {
			return c.measure(ctx, n, r, looks)
		}})
	}
	return cases
}

// looks are the figures that are read of each run. The largest of all runs counts.
type looks struct{ fresh, resident, anonymous, threads *row }

// settled is how long after a launch a run has returned the memory that only the launch needed.
const settled = 13 * time.Second

func (b *bench) addLooks(section string) looks {
	name := fmt.Sprintf("run, the largest of %d: ", most)
	return looks{
		fresh:     b.report.add(row{section: section, name: name + "VmRSS when all have just registered", unit: megabytes}),
		resident:  b.report.add(row{section: section, name: name + "VmRSS, settled", unit: megabytes, asked: asked{value, 10}}),
		anonymous: b.report.add(row{section: section, name: name + "RssAnon, settled", unit: megabytes, asked: asked{value, 3}}),
		threads:   b.report.add(row{section: section, name: name + "threads", unit: count}),
	}
}

func (c *crowd) measure(ctx context.Context, n int, r *row, l looks) error {
	if c.peer == nil {
		if err := c.install(ctx); err != nil {
			return err
		}
		for _, warmUp := range []func(context.Context, int) (time.Duration, error){c.launchAll, c.dockerRun} {
			if _, err := warmUp(ctx, 1); err != nil {
				return err
			}
			if err := c.endAll(ctx); err != nil {
				return err
			}
		}
	}
	took, err := c.launchAll(ctx, n)
	if err == nil && l.resident != nil {
		err = c.look(ctx, l)
	}
	if err = errors.Join(err, c.endAll(ctx)); err != nil {
		return err
	}
	r.ours.took(took)
	took, err = c.dockerRun(ctx, n)
	if err = errors.Join(err, c.endAll(ctx)); err != nil {
		return err
	}
	r.beside.took(took)
	return nil
}

// install installs the same code under many labels, which gives one image.
func (c *crowd) install(ctx context.Context) error {
	builder, err := c.newBuilder("crowd", launchPrefix, c.host, nil)
	if err != nil {
		return err
	}
	p, err := peer.Start(ctx, peer.Options{
		BuilderPath: builder, Dir: filepath.Join(c.scratch, "peer-crowd"), TLS: true, Log: c.journal.Log, Propagate: []string{"GOPROXY=" + goProxy()},
		StartupTimeout: 2 * time.Minute, TermTimeout: time.Minute, ShutdownTimeout: time.Minute,
	})
	if err != nil {
		return err
	}
	c.closers = append(c.closers, p.Close)
	for i := range most {
		pkg, err := c.sources.pack(goSample, c.sources.plain(goSample), fmt.Sprintf("crowd%d_1.0", i), "")
		if err != nil {
			return err
		}
		id, err := p.Install(ctx, pkg)
		if err != nil {
			return fmt.Errorf("%w\n%s", err, &c.journal)
		}
		c.ids, c.image = append(c.ids, id), recordedImage(p, id)
	}
	c.peer = p
	return nil
}

// launchAll launches the first n, and returns how long it took until the last one was registered.
func (c *crowd) launchAll(ctx context.Context, n int) (time.Duration, error) {
	return atOnce(n, func(i int) error {
		if _, err := c.peer.Launch(ctx, c.ids[i]); err != nil {
			return fmt.Errorf("launching %s: %w", c.ids[i], err)
		}
		return nil
	})
}

// dockerRun starts n containers of the same image with the same limits.
func (c *crowd) dockerRun(ctx context.Context, n int) (time.Duration, error) {
	args := append([]string{"run", "--detach", "--label=" + label + "=crowd"}, sameLimits...)
	args = append(args, c.image, "sleep", "600")
	return atOnce(n, func(int) error {
		_, err := runDocker(ctx, nil, args...)
		return err
	})
}

// atOnce calls do n times in parallel, and returns how long it took until the last call returned.
func atOnce(n int, do func(i int) error) (time.Duration, error) {
	errs := make([]error, n)
	var group sync.WaitGroup
	began := time.Now()
	for i := range n {
		group.Go(func() { errs[i] = do(i) })
	}
	group.Wait()
	return time.Since(began), errors.Join(errs...)
}

// endAll stops what launchAll and dockerRun have started, a few at a time. This is not measured.
func (c *crowd) endAll(ctx context.Context) error {
	var errs []error
	for i := 0; i < len(c.ids); i += 5 {
		_, err := atOnce(min(5, len(c.ids)-i), func(k int) error {
			runs := c.peer.Runs(c.ids[i+k])
			if len(runs) == 0 || runs[len(runs)-1].Ended() {
				return nil
			}
			return c.peer.Stop(ctx, c.ids[i+k])
		})
		errs = append(errs, err)
	}
	errs = append(errs, c.removeContainers(ctx, func(l listed) bool { return l.Labels[label] == "crowd" }))
	return errors.Join(errs...)
}

// look records the largest figures of all running runs, at once and after they have settled.
func (c *crowd) look(ctx context.Context, l looks) error {
	fresh, err := c.largest()
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(settled):
	}
	idle, err := c.largest()
	if err != nil {
		return err
	}
	l.fresh.ours.add(fresh.megabytes("VmRSS"))
	l.resident.ours.add(idle.megabytes("VmRSS"))
	l.anonymous.ours.add(idle.megabytes("RssAnon"))
	l.threads.ours.add(idle["Threads"])
	return nil
}

// largest returns the largest of each figure over all runs.
func (c *crowd) largest() (status, error) {
	most := status{}
	for _, id := range c.ids {
		runs := c.peer.Runs(id)
		found, err := processStatus(runs[len(runs)-1].PID())
		if err != nil {
			return nil, err
		}
		for _, key := range []string{"VmRSS", "RssAnon", "Threads"} {
			if found[key] == 0 {
				return nil, fmt.Errorf("looking at the run of %s: /proc says no %s", id, key)
			}
			most[key] = max(most[key], found[key])
		}
	}
	return most, nil
}
