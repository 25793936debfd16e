// Package cli is how every program starts and ends: arguments, usage, signals, logger, exit status. It is the one
// place, beside main, that reads os.Args and the environment and that ends the process.
//
// Output rules. stdout stays empty, except for --help and --version: the peer discards it. stderr gets whole lines of
// at most 16 KiB (see internal/loglines), since the peer logs each of them. An error comes last, each of its
// lines marked as one.
//
// Exit status: 0 done, 1 failed or "not ours", 2 usage. A phase that must end with another status returns a [Status].
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"fabric-builder-docker/internal/loglines"
)

// patience is how long a program waits for somebody to read a full stderr before it drops lines.
const patience = time.Second

// usageStatus is the exit status of a call with wrong arguments.
const usageStatus = 2

// Program describes one of the four programs of the contract.
type Program struct {
	Name      string   // as in bin/, and the name of its logger
	Arguments []string // in the order of the contract, in upper case
	Summary   string   // one sentence, for --help
	Details   string   // what an operator should know, for --help
	Also      []Other  // what it does besides, for operators: the peer calls none of it
}

// Other is another thing that a program does, called as NAME OPTION [ARGUMENT ...].
type Other struct {
	Option    string // with its dashes
	Arguments string // any number of them, for --help
	Summary   string // for --help
	Phase     Phase
}

// Process is what a phase sees of the process that it runs in.
type Process struct {
	Args    []string     // exactly as many as the program has Arguments; what follows the option of an Other
	Home    string       // the directory that holds bin/, where config.yaml stands
	Environ []string     // KEY=VALUE
	Log     hclog.Logger // the program's own messages
	Stderr  io.Writer    // takes whole lines only; safe for concurrent use

	name   string
	logger *hclog.Logger // where Run keeps the logger for the last message
}

// Configure makes the log as the operator wants it, from here on and to the last message: level is trace, debug, info,
// warn or error, format text or json. The chaincode's and the build's own lines stay as they are.
func (p *Process) Configure(level, format string) {
	if hclog.LevelFromString(level) == hclog.Info && format == "text" {
		return // as it is
	}
	p.Log = newLogger(p.name, p.Stderr, level, format)
	if p.logger != nil {
		*p.logger = p.Log
	}
}

// Phase is the work of a program. Its context ends with SIGTERM, SIGINT or SIGHUP, with a [Stopped] as its cause.
type Phase func(ctx context.Context, process Process) error

// Status is an error that ends the program with that exit status and without a message of its own.
type Status int

func (s Status) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// Stopped is the cause of a context that a signal has ended.
type Stopped struct{ Signal os.Signal }

func (s Stopped) Error() string { return fmt.Sprintf("stopped by signal %q", s.Signal) }

// Main runs phase as the whole process and ends it.
func (p Program) Main(phase Phase) {
	os.Exit(p.Run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr, phase))
}

// Run is Main with everything it touches passed in. It returns the exit status.
func (p Program) Run(args, environ []string, stdout, stderr io.Writer, phase Phase) int {
	if len(args) == 1 && (args[0] == "--help" || args[0] == "-h") {
		fmt.Fprint(stdout, p.Help())
		return 0
	}
	if len(args) == 1 && args[0] == "--version" {
		fmt.Fprintf(stdout, "%s %s\n", p.Name, Version())
		return 0
	}
	other := p.other(args)
	if other != nil {
		args, phase = args[1:], other.Phase
	}
	for _, arg := range args {
		if strings.HasPrefix(arg, "-") { // a directory of that name is ./-name
			fmt.Fprintf(stderr, "%s: unexpected option %q\n%s", p.Name, arg, p.usage())
			return usageStatus
		}
	}
	if other == nil && len(args) != len(p.Arguments) {
		fmt.Fprintf(stderr, "%s: expected %d arguments, got %d\n%s", p.Name, len(p.Arguments), len(args), p.usage())
		return usageStatus
	}

	// A closed stderr must not kill a program that still has a container to remove.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := withSignals(context.Background())
	defer stop()

	lines := loglines.NewQueue(stderr, patience)
	defer lines.Close()
	log := NewLogger(p.Name, lines)
	err := phase(ctx, Process{Args: args, Home: home(), Environ: environ, Stderr: lines, Log: log, name: p.Name, logger: &log})
	return exitStatus(err, log)
}

// home is the directory above the one of the running program; empty where the system does not tell.
func home() string {
	executable, err := os.Executable()
	if err != nil {
		return ""
	}
	return filepath.Dir(filepath.Dir(executable))
}

// NewLogger returns the logger of one program before its settings are known: text without a time stamp, since the peer
// adds its own.
func NewLogger(name string, lines io.Writer) hclog.Logger {
	return newLogger(name, lines, "info", "text")
}

func newLogger(name string, lines io.Writer, level, format string) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{
		Name:        name,
		Level:       hclog.LevelFromString(level),
		Output:      loglines.NewWriter(lines, ""),
		JSONFormat:  format == "json",
		DisableTime: true,
	})
}

// other is what these arguments ask for instead of the phase of the contract; nil for that.
func (p Program) other(args []string) *Other {
	for i := range p.Also {
		if len(args) > 0 && args[0] == p.Also[i].Option {
			return &p.Also[i]
		}
	}
	return nil
}

// Help is what --help prints.
func (p Program) Help() string {
	return fmt.Sprintf("%s\n%s\n\n%s\n\nOptions:\n%s  -h, --help   print this text\n  --version    print the version\n",
		p.usage(), p.Summary, strings.TrimSpace(p.Details), p.others())
}

func (p Program) others() string {
	var text strings.Builder
	for _, other := range p.Also {
		fmt.Fprintf(&text, "  %s %s\n               %s\n", other.Option, other.Arguments, strings.ReplaceAll(other.Summary, "\n", "\n               "))
	}
	return text.String()
}

func (p Program) usage() string {
	usage := fmt.Sprintf("Usage: %s %s\n", p.Name, strings.Join(p.Arguments, " "))
	for _, other := range p.Also {
		usage += fmt.Sprintf("       %s %s %s\n", p.Name, other.Option, other.Arguments)
	}
	return usage
}

func exitStatus(err error, log hclog.Logger) int {
	var status Status
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	default:
		for line := range strings.Lines(err.Error()) { // several errors in one, as of errors.Join
			log.Error(strings.TrimSuffix(line, "\n"))
		}
		return 1
	}
}

// withSignals is signal.NotifyContext with the signal as the cause, and with a SIGHUP that stays ignored where
// somebody has asked for that (nohup).
func withSignals(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	ends := []os.Signal{syscall.SIGTERM, syscall.SIGINT}
	if !signal.Ignored(syscall.SIGHUP) {
		ends = append(ends, syscall.SIGHUP)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, ends...)
	go func() {
		select {
		case s := <-signals:
			cancel(Stopped{Signal: s})
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}
