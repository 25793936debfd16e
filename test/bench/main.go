// Command bench measures this builder beside the peer's built-in Docker controller and others, in turn over several
// rounds on one engine, and says whether the ratios that are asked for are reached. It needs an engine and base images
// in the variables of withengine, and the programs in bin/: "make bench" brings all of it.
//
//	bench [-n ROUNDS] [-only REGEXP] [-write FILE]
//
// The exit status is 1 when an asked ratio is not reached, or when a case could not be measured.
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

// limit bounds all of it: a machine that is so slow measures nothing of use.
const limit = 4 * time.Hour

// options are what the command line says.
type options struct {
	rounds int
	only   *regexp.Regexp // nil: every case
	write  string         // a file with the markers of the table; empty: none
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The same program plays run where it stands in a builder's bin/ under that name.
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
		return opts, fmt.Errorf("parsing the arguments: %d rounds, %d arguments too many", opts.rounds, flags.NArg())
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
