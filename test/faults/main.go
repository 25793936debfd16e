// SPDX-License-Identifier: Apache-2.0

// Command faults drives the programs in bin/ as processes against a real engine while something goes wrong: builders are
// stopped or killed, an operator prunes, the engine is slow. "make faults" provides the engine.
//
//	faults [-seed N] [-rounds N] [-only REGEXP] [-alone]
//
// It prints one line for each scenario, and the stderr of each program that failed although it should not have. What is
// random comes from the seed, which it prints. The exit status is 1 if anything failed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"regexp"
	"syscall"
)

// options holds the parsed command line.
type options struct {
	seed   uint64
	rounds int            // 0: each scenario's own
	only   *regexp.Regexp // nil: every scenario
	alone  bool           // nobody else uses the engine, so everything on it may be pruned
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	opts, err := parse(os.Args[1:])
	if err != nil {
		os.Exit(2)
	}
	if err := run(ctx, opts); err != nil {
		fmt.Fprintln(os.Stderr, "faults: error:", err)
		os.Exit(1)
	}
}

func parse(args []string) (options, error) {
	var opts options
	flags := flag.NewFlagSet("faults", flag.ContinueOnError)
	flags.Uint64Var(&opts.seed, "seed", rand.Uint64N(1_000_000), "seed of an earlier run, to repeat it")
	flags.IntVar(&opts.rounds, "rounds", 0, "rounds of each scenario (0: as many as it usually has)")
	flags.BoolVar(&opts.alone, "alone", os.Getenv("FBD_TEST_ENGINE_OWN") == "1",
		"prune, since nobody else uses the engine (default: if withengine started it)")
	flags.Func("only", "run the scenarios whose names match this `REGEXP`", func(text string) (err error) {
		opts.only, err = regexp.Compile(text)
		return err
	})
	if err := flags.Parse(args); err != nil {
		return opts, err
	}
	if flags.NArg() > 0 || opts.rounds < 0 {
		flags.Usage()
		return opts, errors.New("parsing the arguments: there are unexpected ones, or -rounds is negative")
	}
	return opts, nil
}
