// SPDX-License-Identifier: Apache-2.0

// Package cli starts and ends every program: it handles arguments, usage, signals, the logger and the exit status. It is
// the only package that reads os.Args and the environment and that ends the process.
//
// stdout stays empty except for --help, --version and the answers to commands of operators: the peer discards it. stderr gets
// whole lines of at most 16 KiB (see internal/loglines), because the peer logs each line. The error comes last, with each of
// its lines marked as an error.
//
// The exit status is 0 for success, 1 for an error or a package of another builder, and 2 for wrong usage. A phase that
// must end with another status returns a [Status].
package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"fabric-builder-docker/internal/loglines"
)

// patience is how long a program waits for a full stderr to be read before it drops lines.
const patience = time.Second

// slowReader is how long after a signal a reader of stderr may be slow: the peer kills run after 5 s, and by then the last
// line is to be written.
const slowReader = 3 * time.Second

// usageStatus is the exit status for wrong arguments.
const usageStatus = 2

// interruptedStatus is the exit status after a second SIGINT: 128 + SIGINT.
const interruptedStatus = 130

// Program describes one of the four programs that the peer calls: detect, build, release, run.
type Program struct {
	Name      string    // the name in bin/ and of the logger
	Arguments []string  // their names in upper case, in the order in which the peer passes them
	Summary   string    // one sentence, for --help
	Details   string    // what an operator should know, for --help
	Commands  []Command // further commands for operators, which the peer never calls

	// StatusLine returns the status line of a terminal, or nil if the output is none. The function is nil for programs without one.
	StatusLine func(out io.Writer, term string) StatusLine
}

// StatusLine shows on the last line of a terminal what a program is doing, below the whole lines that are written to it.
type StatusLine interface {
	io.Writer
	Set(text string)
	Close()
}

// Command is a further command of a program. It is called as NAME OPTION [ARGUMENT ...].
type Command struct {
	Option    string // with its dashes
	Arguments string // as shown in --help; any number is accepted
	Flags     []Flag // further options, anywhere among the arguments
	Summary   string // for --help; empty: the command is not shown, since only the program itself calls it
	Phase     Phase
}

// Flag is an option of a command.
type Flag struct {
	Name  string // with its dashes
	Value string // the name of its value, which the next argument holds; empty: none
}

// Process is the environment in which a phase runs.
type Process struct {
	Args    []string          // as many as Program.Arguments, or any number after the option of a Command
	Home    string            // the directory that holds bin/ and config.yaml
	Environ []string          // KEY=VALUE
	Flags   map[string]string // the options of a Command that were given, by name
	Stdout  io.Writer         // for the answer to a Command; nothing else writes to it
	Log     hclog.Logger      // for the program's own messages
	Stderr  io.Writer         // for whole lines only; safe for concurrent use
	Status  func(text string) // shows on one line what the program is doing, until the next call; nil: stderr is no terminal

	name   string
	level  string
	format string
	about  []any
	base   hclog.Logger                  // Log without what About has added
	run    *atomic.Pointer[hclog.Logger] // the logger that Run uses for the final error
	lines  *loglines.Queue               // nil in tests
}

// About names the package or chaincode that the program works for, as keys and values in every line of the log: several
// builds and runs write to one log. It replaces what an earlier call has named, and applies to the final error as well.
func (p *Process) About(fields ...any) {
	p.about = fields
	p.setLog()
}

// Configure sets the level (trace, debug, info, warn, error) and the format (text, json) of the log, including the final
// error. It does not affect the output of builds and chaincodes.
func (p *Process) Configure(level, format string) {
	if hclog.LevelFromString(level) == hclog.Info && format == "text" {
		return // the logger has these settings already
	}
	p.level, p.format = level, format
	p.base = newLogger(p.name, p.Stderr, level, format)
	p.setLog()
}

// LastWrite returns when the program last wrote to its stderr, its own log included; zero if it has not.
func (p *Process) LastWrite() time.Time {
	if p.lines == nil {
		return time.Time{}
	}
	return p.lines.LastWrite()
}

// setLog sets the logger, and the line about dropped lines, to what Configure and About have said.
func (p *Process) setLog() {
	if p.base == nil {
		p.base = p.Log
	}
	p.Log = p.base.With(p.about...)
	if p.run != nil {
		log := p.Log
		p.run.Store(&log)
	}
	if p.lines != nil {
		name, format, about := p.name, p.format, p.about
		p.lines.SetReport(func(dropped int) []byte {
			var line bytes.Buffer
			newLogger(name, &line, "info", format).With(about...).Warn("lines dropped here because stderr was not read", "lines", dropped)
			return line.Bytes()
		})
	}
}

// Phase does the work of a program. SIGTERM, SIGINT and SIGHUP cancel its context, with a [Stopped] as the cause. A second
// SIGINT ends the program at once.
type Phase func(ctx context.Context, process Process) error

// Status is an error that ends the program with that exit status and without a message.
type Status int

func (s Status) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// Stopped is the cause of a context that was cancelled by a signal.
type Stopped struct{ Signal os.Signal }

func (s Stopped) Error() string { return fmt.Sprintf("stopped by signal %q", s.Signal) }

// Main runs phase with the arguments and environment of this process, and exits.
func (p Program) Main(phase Phase) {
	os.Exit(p.Run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr, phase))
}

// Run does the same as Main with the given inputs and outputs, but returns the exit status.
func (p Program) Run(args, environ []string, stdout, stderr io.Writer, phase Phase) int {
	if len(args) == 1 && (args[0] == "--help" || args[0] == "-h") {
		fmt.Fprint(stdout, p.Help())
		return 0
	}
	if len(args) == 1 && args[0] == "--version" {
		fmt.Fprintf(stdout, "%s %s\n", p.Name, Version())
		return 0
	}
	command := p.command(args)
	var flags map[string]string
	if command != nil {
		args, flags = command.parse(args[1:])
		phase = command.Phase
	}
	for _, arg := range args {
		if strings.HasPrefix(arg, "-") { // a directory with such a name is passed as ./-name
			fmt.Fprintf(stderr, "%s: unexpected option %q\n%s", p.Name, arg, p.usage())
			return usageStatus
		}
	}
	if command == nil && len(args) != len(p.Arguments) {
		fmt.Fprintf(stderr, "%s: expected %d arguments, got %d\n%s", p.Name, len(p.Arguments), len(args), p.usage())
		return usageStatus
	}

	// A closed stderr must not kill a program that still has to remove a container.
	signal.Ignore(syscall.SIGPIPE)
	status := p.statusLine(stderr, environ)
	if status != nil {
		stderr = status
	}
	lines := loglines.NewQueue(stderr, patience)
	end := func() {
		lines.Close()
		if status != nil {
			status.Close()
		}
	}
	defer end()
	process := Process{Args: args, Flags: flags, Stdout: stdout, Home: home(), Environ: environ, Stderr: lines, Log: NewLogger(p.Name, lines), name: p.Name,
		run: new(atomic.Pointer[hclog.Logger]), lines: lines}
	if status != nil {
		process.Status = status.Set
	}
	process.setLog()
	log := process.run
	ctx, stop := withSignals(context.Background(), func() {
		(*log.Load()).Warn("interrupted again: exiting without cleaning up")
		end()
		os.Exit(interruptedStatus)
	})
	defer stop()
	defer context.AfterFunc(ctx, func() { lines.Hurry(time.Now().Add(slowReader)) })()
	err := phase(ctx, process)
	return exitStatus(err, *log.Load())
}

// statusLine returns the status line of the terminal that stderr is, or nil.
func (p Program) statusLine(stderr io.Writer, environ []string) StatusLine {
	if p.StatusLine == nil {
		return nil
	}
	for _, pair := range environ {
		if term, ok := strings.CutPrefix(pair, "TERM="); ok {
			return p.StatusLine(stderr, term)
		}
	}
	return nil
}

// home returns the parent of the directory that holds this program, or an empty string if the system does not report it.
func home() string {
	executable, err := os.Executable()
	if err != nil {
		return ""
	}
	return filepath.Dir(filepath.Dir(executable))
}

// NewLogger returns the logger that a program uses until its settings are read. It writes text without time stamps,
// because the peer adds its own.
func NewLogger(name string, lines io.Writer) hclog.Logger {
	return newLogger(name, lines, "info", "text")
}

func newLogger(name string, lines io.Writer, level, format string) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{
		Name:        name,
		Level:       hclog.LevelFromString(level),
		Output:      loglines.NewRecordWriter(lines),
		JSONFormat:  format == "json",
		DisableTime: true,
	})
}

// command returns the command whose option comes first in args, or nil if args are those of the peer's call.
func (p Program) command(args []string) *Command {
	for i := range p.Commands {
		if len(args) > 0 && args[0] == p.Commands[i].Option {
			return &p.Commands[i]
		}
	}
	return nil
}

// parse takes the command's own options out of args. What it does not know stays there, as does an option without its value.
func (c *Command) parse(args []string) (rest []string, flags map[string]string) {
	rest, flags = []string{}, map[string]string{}
	for i := 0; i < len(args); i++ {
		name, value, joined := strings.Cut(args[i], "=")
		at := slices.IndexFunc(c.Flags, func(f Flag) bool { return f.Name == name })
		switch {
		case at >= 0 && c.Flags[at].Value == "" && !joined, at >= 0 && c.Flags[at].Value != "" && joined:
			flags[name] = value
		case at >= 0 && c.Flags[at].Value != "" && i+1 < len(args):
			i++
			flags[name] = args[i]
		default:
			rest = append(rest, args[i])
		}
	}
	return rest, flags
}

// Help returns the text that --help prints.
func (p Program) Help() string {
	return fmt.Sprintf("%s\n%s\n\n%s\n\nOptions:\n%s  -h, --help   print this text\n  --version    print the version\n",
		p.usage(), p.Summary, strings.TrimSpace(p.Details), p.commandHelp())
}

func (p Program) commandHelp() string {
	const indent = "\n               "
	var text strings.Builder
	for _, command := range p.Commands {
		if command.Summary == "" {
			continue
		}
		fmt.Fprintf(&text, "  %s %s%s%s\n", command.Option, command.Arguments, indent, strings.ReplaceAll(command.Summary, "\n", indent))
	}
	return text.String()
}

func (p Program) usage() string {
	usage := fmt.Sprintf("Usage: %s %s\n", p.Name, strings.Join(p.Arguments, " "))
	for _, command := range p.Commands {
		if command.Summary == "" {
			continue
		}
		usage += fmt.Sprintf("       %s %s %s\n", p.Name, command.Option, command.Arguments)
	}
	return usage
}

// exitStatus returns the exit status for the error of a phase, and logs the error unless it is a [Status].
func exitStatus(err error, log hclog.Logger) int {
	var status Status
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	default:
		logError(err, log)
		return 1
	}
}

// maxMessage is how much of an error is logged: the line also holds what it is about.
const maxMessage = 4 << 10

// logError logs an error: one line for each error of errors.Join, and then one that sums them up, since the last line of a
// program that has failed says why.
func logError(err error, log hclog.Logger) {
	messages := messagesOf(err)
	for i, message := range messages {
		messages[i] = loglines.CutMiddle(message, maxMessage)
		log.Error(messages[i])
	}
	if n := len(messages); n > 1 {
		log.Error(fmt.Sprintf("failed for %d reasons, of which the first is: %s", n, messages[0]))
	}
}

// messagesOf returns the messages of the errors that errors.Join has joined, or that of any other error. It does not split
// the latter into lines: it may hold the name of a file, in which a package has put what looks like a line of the log.
func messagesOf(err error) []string {
	text := err.Error()
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		joined, ok := inner.(interface{ Unwrap() []error })
		if !ok {
			continue
		}
		var texts, messages []string
		for _, part := range joined.Unwrap() {
			texts = append(texts, part.Error())
			messages = append(messages, messagesOf(part)...)
		}
		before, after, found := strings.Cut(text, inner.Error())
		if found && len(messages) > 0 && inner.Error() == strings.Join(texts, "\n") {
			messages[0] = before + messages[0]
			messages[len(messages)-1] += after
			return messages
		}
	}
	return []string{text}
}

// withSignals works like signal.NotifyContext, except that the signal is the cause of the cancelled context, and that a
// SIGHUP that is ignored (nohup) stays ignored.
//
// A second SIGINT calls leave: somebody at a terminal does not want to wait for the clean-up. Other signals do come twice
// without that meaning: a peer in a terminal and its programs get SIGINT together, and the peer then sends SIGTERM; a
// service manager that stops a peer sends SIGTERM to all of its processes, and the peer sends it again.
func withSignals(parent context.Context, leave func()) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	caught := []os.Signal{syscall.SIGTERM, syscall.SIGINT}
	if !signal.Ignored(syscall.SIGHUP) {
		caught = append(caught, syscall.SIGHUP)
	}
	signals := make(chan os.Signal, 8) // a signal that finds it full is lost
	signal.Notify(signals, caught...)
	ended := make(chan struct{})
	go func() {
		for interrupts := 0; ; {
			select {
			case s := <-signals:
				cancel(Stopped{Signal: s})
				if s == syscall.SIGINT {
					interrupts++
				}
				if interrupts == 2 {
					leave()
				}
			case <-ended:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(ended)
		cancel(nil)
	}
}
