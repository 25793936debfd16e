// SPDX-License-Identifier: Apache-2.0

// Withengine runs a command that needs a Docker engine and base images, and checks that the command leaves nothing
// behind.
//
//	withengine [--work-dir DIR] [--program NAME] [--bare] [--meanwhile SCRIPT] [--] COMMAND [ARGUMENT...]
//	withengine [--work-dir DIR] --keep | --stop | --clean
//
// It uses the engine that DOCKER_HOST names, or else the machine's. If there is none, it starts one and stops it at the
// end. NAME is a program that COMMAND needs: if it is missing, it is installed from the Debian package of that name,
// where the engine could be installed too. COMMAND gets DOCKER_HOST, FBD_TEST_CCENV, FBD_TEST_BASEOS, FBD_TEST_NODEENV,
// FBD_TEST_JAVAENV (not with --bare, which makes no base images) and FBD_TEST_ENGINE_OWN (1 if the engine is withengine's own,
// else 0) in its environment. SCRIPT needs the programs, but neither engine nor images: the shell runs it while the images are
// made. COMMAND follows when both are done, unless SCRIPT fails. The exit status is COMMAND's, or 1 if SCRIPT failed or something
// was left behind.
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

	"fabric-builder-docker/test/engine"
)

func main() {
	args, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	status, err := run(ctx, args, environment{
		host:      os.Getenv("DOCKER_HOST"),
		httpProxy: os.Getenv("http_proxy"),
		out:       os.Stdout,
		log:       os.Stderr,
	})
	if err != nil {
		fmt.Fprintf(os.Stderr, "withengine: error: %v\n", err)
		os.Exit(max(status, 1))
	}
	os.Exit(status)
}

// arguments holds the parsed command line.
type arguments struct {
	workDir           string
	keep, stop, clean bool
	bare              bool     // no base images
	meanwhile         string   // a script that runs while the images are made
	programs          []string // needed by the command
	command           []string
}

const usage = `usage: withengine [--work-dir DIR] [--program NAME] [--bare] [--meanwhile SCRIPT] [--] COMMAND [ARGUMENT...]
       withengine [--work-dir DIR] --keep | --stop | --clean
`

func parse(args []string, out io.Writer) (arguments, error) {
	var parsed arguments
	flags := flag.NewFlagSet("withengine", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.Usage = func() { fmt.Fprint(out, usage); flags.PrintDefaults() }
	flags.StringVar(&parsed.workDir, "work-dir", ".work", "`directory` of withengine's own engine and its images")
	flags.BoolVar(&parsed.keep, "keep", false, "leave the engine running and print its variables")
	flags.BoolVar(&parsed.stop, "stop", false, "stop an engine that --keep left running")
	flags.BoolVar(&parsed.clean, "clean", false, "stop the engine and remove its data and images")
	flags.BoolVar(&parsed.bare, "bare", false, "make no base images, for a command that needs none")
	flags.StringVar(&parsed.meanwhile, "meanwhile", "", "a shell `script` to run while the base images are made; the command runs only if it succeeds")
	flags.Func("program", "install a `program` that the command needs from the Debian package of that name, if it is missing", func(name string) error {
		parsed.programs = append(parsed.programs, name)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return parsed, err
	}
	parsed.command = flags.Args()
	if countActions(parsed) != 1 {
		fmt.Fprint(out, usage)
		return parsed, errors.New("expected one of COMMAND, --keep, --stop, --clean")
	}
	return parsed, nil
}

// countActions returns how many actions were given.
func countActions(a arguments) int {
	count := 0
	for _, is := range []bool{a.keep, a.stop, a.clean, len(a.command) > 0} {
		if is {
			count++
		}
	}
	return count
}

// environment holds what a run needs from the process.
type environment struct {
	host, httpProxy string
	out, log        io.Writer
}

func run(ctx context.Context, args arguments, s environment) (status int, err error) {
	opts := engine.Options{WorkDir: args.workDir, Host: s.host, Log: s.log}
	release, err := engine.Lock(ctx, opts)
	if err != nil {
		return 1, err
	}
	defer release()
	switch {
	case args.clean:
		return 0, engine.Clean(ctx, opts)
	case args.stop:
		return 0, stop(ctx, args, opts)
	case args.keep:
		return 0, keep(ctx, args, s, opts)
	}
	return runCommand(ctx, args, s, opts)
}
