// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// benchCase measures one thing, in all its ways, once per round.
type benchCase struct {
	name    string // what -only is matched with
	once    bool   // in the first round alone, because it takes long
	rows    []*row // where its figures go
	measure func(ctx context.Context, round int) error
}

// caseLimit bounds a case in one round. The slowest is ten builds at once the built-in's way.
const caseLimit = 25 * time.Minute

// run measures, prints, and writes the table.
func run(ctx context.Context, opts options) (err error) {
	b, err := newBench(ctx, opts)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close(ctx)) }()
	machine, err := b.machine(ctx)
	if err != nil {
		return err
	}
	began := time.Now()
	failed := b.rounds(ctx, b.cases())
	table := b.report.table() + "\n" + machine + "\n" + fmt.Sprintf("Rounds: %d, %s in all.\n", opts.rounds, time.Since(began).Round(time.Second))
	fmt.Println("\n" + table)
	if failed != nil {
		return failed
	}
	if opts.write != "" && opts.only == nil {
		if err := writeTable(opts.write, table); err != nil {
			return err
		}
	}
	return b.report.verdict()
}

// cases returns all cases. Those of a language are in a row: the first empties the caches, and the others use what it
// leaves in them.
func (b *bench) cases() []benchCase {
	var chosen []benchCase
	for _, group := range [][]benchCase{b.goCases(), b.nodeCases(), b.javaCases(), b.imageCases(), b.launchCases(), b.crowdCases(), b.memoryCases(), b.bytesCases()} {
		for _, c := range group {
			if b.opts.only == nil || b.opts.only.MatchString(c.name) {
				chosen = append(chosen, c)
			}
		}
	}
	return chosen
}

// rounds measures every case in every round. After a failure, a case is left out.
func (b *bench) rounds(ctx context.Context, cases []benchCase) error {
	if len(cases) == 0 {
		return errors.New("choosing cases: none has such a name")
	}
	failed := map[string]error{}
	for round := range b.opts.rounds {
		for _, c := range cases {
			if failed[c.name] != nil || c.once && round > 0 {
				continue
			}
			if err := b.measure(ctx, c, round); err != nil {
				failed[c.name] = fmt.Errorf("measuring %q: %w", c.name, err)
				fmt.Fprintln(os.Stderr, "bench:", failed[c.name])
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
		}
	}
	var errs []error
	for _, c := range cases {
		errs = append(errs, failed[c.name])
	}
	return errors.Join(errs...)
}

func (b *bench) measure(ctx context.Context, c benchCase, round int) error {
	ctx, cancel := context.WithTimeout(ctx, caseLimit)
	defer cancel()
	fmt.Printf("round %d of %d: %s\n", round+1, b.opts.rounds, c.name)
	if err := c.measure(ctx, round); err != nil {
		return err
	}
	for _, r := range c.rows {
		fmt.Printf("    %s\n", r)
	}
	return nil
}
