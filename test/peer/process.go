// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Line is a line of a program's stderr.
type Line struct {
	// Program is detect, build, release or run.
	Program string
	// PackageID is the package that the program was started for. Fabric's log lacks it.
	PackageID string
	// Text is the line without its line ending.
	Text string
	// Err is set instead of Text when the peer stops reading.
	Err error
}

func (l Line) String() string {
	if l.Err != nil {
		return fmt.Sprintf("%s: command output scanning failed: %v", l.Program, l.Err)
	}
	return l.Program + ": " + l.Text
}

// Process is a program of the builder that the peer has started.
type Process struct {
	program   string
	packageID string
	cmd       *exec.Cmd
	stderr    io.Closer
	started   time.Time
	done      chan struct{}

	mutex       sync.Mutex
	ended       time.Time
	err         error
	scannerDied bool
	orphaned    bool
}

// startProcess starts a command and passes the lines of its stderr to log. It calls cleanup when the command has ended.
func startProcess(cmd *exec.Cmd, program, packageID string, log func(Line), cleanup func()) (*Process, error) {
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, fmt.Errorf("opening stderr of %s: %w", program, err)
	}
	p := &Process{
		program: program, packageID: packageID, cmd: cmd, stderr: stderr,
		started: time.Now(), done: make(chan struct{}),
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go p.watch(stderr, log, cleanup)
	return p, nil
}

// watch reads stderr to its end and only then waits for the program, as Fabric's peer does. So a grandchild that holds
// stderr open delays it, and a line of 64 KiB ends the reading while the program still runs.
func (p *Process) watch(stderr io.Reader, log func(Line), cleanup func()) {
	scanner := bufio.NewScanner(stderr)
	for scanner.Scan() {
		log(Line{Program: p.program, PackageID: p.packageID, Text: scanner.Text()})
	}
	if err := scanner.Err(); err != nil {
		p.mutex.Lock()
		p.scannerDied = errors.Is(err, bufio.ErrTooLong)
		p.mutex.Unlock()
		log(Line{Program: p.program, PackageID: p.packageID, Err: err})
	}
	err := p.cmd.Wait()
	p.mutex.Lock()
	p.err, p.ended = err, time.Now()
	orphaned := p.orphaned
	p.mutex.Unlock()
	if !orphaned {
		cleanup()
	}
	close(p.done)
}

// Program returns detect, build, release or run.
func (p *Process) Program() string { return p.program }

// PackageID returns the package that the program was started for.
func (p *Process) PackageID() string { return p.packageID }

// PID returns the program's process ID.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Args returns the program's arguments, without its name.
func (p *Process) Args() []string { return slices.Clone(p.cmd.Args[1:]) }

// Env returns the program's environment.
func (p *Process) Env() []string { return slices.Clone(p.cmd.Env) }

// Started returns when the program was started.
func (p *Process) Started() time.Time { return p.started }

// Done returns a channel that is closed when the program has ended and its stderr was read to the end.
func (p *Process) Done() <-chan struct{} { return p.done }

// Ended reports whether Done is closed.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Wait waits for Done. It returns an error only if ctx is done first; Err returns how the program ended.
func (p *Process) Wait(ctx context.Context) error {
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for %s: %w", p, context.Cause(ctx))
	}
}

// Err returns nil while the program runs and after exit status 0, and otherwise "exit status N" or "signal: NAME".
func (p *Process) Err() error {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.err
}

// ExitCode returns the exit status, or -1 while the program runs and after a signal.
func (p *Process) ExitCode() int {
	if !p.Ended() {
		return -1
	}
	return p.cmd.ProcessState.ExitCode()
}

// Lived returns how long the program has run.
func (p *Process) Lived() time.Duration {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.ended.IsZero() {
		return time.Since(p.started)
	}
	return p.ended.Sub(p.started)
}

// ScannerDied reports whether the peer stopped reading this program's stderr because of a line that was too long.
func (p *Process) ScannerDied() bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.scannerDied
}

func (p *Process) String() string {
	return fmt.Sprintf("%s (pid %d, arguments %s)", p.program, p.PID(), strings.Join(p.Args(), " "))
}

// Signal sends a signal to the program, and not to its children.
func (p *Process) Signal(signal syscall.Signal) error {
	if err := p.cmd.Process.Signal(signal); err != nil {
		return fmt.Errorf("signalling %s: %w", p, err)
	}
	return nil
}

// terminate and kill ignore errors, which mean that the program has already ended.
func (p *Process) terminate() { _ = p.cmd.Process.Signal(syscall.SIGTERM) }
func (p *Process) kill()      { _ = p.cmd.Process.Kill() }

// hangUp stops reading stderr, so that the program's next write fails with EPIPE.
func (p *Process) hangUp() { _ = p.stderr.Close() }

// orphan hangs up and skips the cleanup, as after the peer's death.
func (p *Process) orphan() {
	p.mutex.Lock()
	p.orphaned = true
	p.mutex.Unlock()
	p.hangUp()
}

// stop stops a program as the peer does: SIGTERM, then SIGKILL to the process alone, and an error if it still has not
// ended.
func (p *Process) stop(ctx context.Context, term, kill time.Duration) error {
	p.terminate()
	if ended, err := p.endsWithin(ctx, term); ended || err != nil {
		return err
	}
	p.kill()
	if ended, err := p.endsWithin(ctx, kill); ended || err != nil {
		return err
	}
	return fmt.Errorf("failed to stop instance '%s'", p.packageID)
}

func (p *Process) endsWithin(ctx context.Context, period time.Duration) (bool, error) {
	timer := time.NewTimer(period)
	defer timer.Stop()
	select {
	case <-p.done:
		return true, nil
	case <-timer.C:
		return false, nil
	case <-ctx.Done():
		return false, fmt.Errorf("stopping %s: %w", p, context.Cause(ctx))
	}
}
