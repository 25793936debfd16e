// Command bench measures this builder beside other ways to the same end, in turn, and prints medians. It needs an
// engine and base images in the variables of withengine.
//
//	bench launch [-n ROUNDS]    from exec of run to REGISTERED, beside docker create, cp and start by hand
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The same program plays run where it stands in a builder's bin/ under that name.
	if filepath.Base(os.Args[0]) == "run" {
		exit(runByHand(ctx, os.Args[1:]))
	}
	rounds := flag.Int("n", 10, "rounds")
	flag.Parse()
	exit(launches(ctx, *rounds))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: error:", err)
		os.Exit(1)
	}
	os.Exit(0)
}
