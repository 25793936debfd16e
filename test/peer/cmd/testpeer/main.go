// SPDX-License-Identifier: Apache-2.0

// Command testpeer acts as a peer on the command line: it packs a chaincode, installs it with an external builder and
// invokes its functions.
//
//	testpeer pack    -label L -type T -code DIR [-path P] [-meta-inf DIR] FILE
//	testpeer install [flags] FILE
//	testpeer invoke  [flags] [-id ID] -- FUNCTION [ARGUMENT...]
//
// A package installed in -dir can be invoked later with the same -dir.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

const usage = `usage:
  testpeer pack    -label L -type T -code DIR [-path P] [-meta-inf DIR] FILE
  testpeer install [flags] FILE
  testpeer invoke  [flags] [-id ID] -- FUNCTION [ARGUMENT...]

testpeer COMMAND --help lists the flags.
`

// errUsage makes main print the usage text.
var errUsage = errors.New("no such command")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "testpeer: error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return errUsage
	}
	switch args[0] {
	case "pack":
		return pack(args[1:], stderr)
	case "install":
		return install(ctx, args[1:], stdout, stderr)
	case "invoke":
		return invoke(ctx, args[1:], stdout, stderr)
	case "help", "-h", "-help", "--help":
		fmt.Fprint(stdout, usage)
		return nil
	default:
		return errUsage
	}
}
