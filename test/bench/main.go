// SPDX-License-Identifier: Apache-2.0

// Command bench measures this builder, the peer's built-in Docker controller and other ways in turn, over several
// rounds on one engine, and reports whether the targets are met. It needs an engine and base images in withengine's
// variables, and the programs in bin/; "make bench" provides them.
//
//	bench [-n ROUNDS] [-only REGEXP] [-write FILE]
//
// The exit status is 1 if a target is missed or a case could not be measured.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

// limit bounds the whole benchmark. A machine that takes longer gives no useful figures.
const limit = 4 * time.Hour

// options holds the parsed command line.
type options struct {
	rounds int
	only   *regexp.Regexp // nil: every case
	write  string         // a file with the markers of the table; empty: none
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// In a builder's bin/, under the name run, this program stands in for run.
	if filepath.Base(os.Args[0]) == "run" {
		exit(standIn(ctx, os.Args[1:]))
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	opts, err := parse(os.Args[1:])
	if err != nil {
		os.Exit(2)
	}
	exit(run(ctx, opts))
}

func parse(args []string) (options, error) {
	var opts options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&opts.rounds, "n", 3, "rounds")
	flags.StringVar(&opts.write, "write", "", "write the table into this `FILE`, between its markers, when all cases ran")
	flags.Func("only", "measure the cases whose names match this `REGEXP`", func(text string) (err error) {
		opts.only, err = regexp.Compile(text)
		return err
	})
	if err := flags.Parse(args); err != nil {
		return opts, err
	}
	if opts.rounds < 1 || flags.NArg() > 0 {
		flags.Usage()
		return opts, fmt.Errorf("parsing the arguments: -n is %d, and there are %d arguments (expected at least 1, and none)", opts.rounds, flags.NArg())
	}
	return opts, nil
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: error:", err)
		os.Exit(1)
	}
	os.Exit(0)
}
