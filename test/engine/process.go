// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// daemon returns the PID of this working directory's daemon and whether it is alive.
func (p paths) daemon() (int, bool) {
	return readPID(p.pidFile(), p.pidFile())
}

// containerd returns the PID of the containerd that the daemon started and whether it is alive.
func (p paths) containerd() (int, bool) {
	return readPID(filepath.Join(p.execRoot(), "containerd", "containerd.pid"), p.execRoot())
}

// readPID reads a pidfile and reports whether the process is alive. Since the PID may have been reused, mark must be on
// the process's command line.
func readPID(file, mark string) (int, bool) {
	content, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil || pid <= 1 {
		return 0, false
	}
	return pid, alive(pid) && bytes.Contains(commandLine(pid), []byte(mark))
}

// alive reports whether a process runs. A process that waits to be reaped does not.
func alive(pid int) bool {
	fields := stat(pid)
	return len(fields) > 0 && fields[0] != "Z"
}

// stat returns the fields of /proc/PID/stat after the name: the state, the parent, and so on. The name is in
// parentheses and may contain anything.
func stat(pid int) []string {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(line[bytes.LastIndexByte(line, ')')+1:]))
}

func commandLine(pid int) []byte {
	line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return line
}

// killOrphans kills the containers of a daemon that was killed. A new daemon tries to adopt them, but often fails: its
// containerd waits for their shims longer than the daemon waits for containerd.
func (p paths) killOrphans() {
	for _, shim := range p.shims() {
		for _, child := range childrenOf(shim) {
			_ = syscall.Kill(child, syscall.SIGKILL)
		}
		_ = syscall.Kill(shim, syscall.SIGKILL)
	}
}

// shims returns the PIDs of containerd's shims, one per container of this working directory's daemon.
func (p paths) shims() []int {
	address := []byte("\x00" + filepath.Join(p.execRoot(), "containerd", "containerd.sock") + "\x00")
	return findProcesses(func(pid int) bool {
		line := commandLine(pid)
		program, _, _ := bytes.Cut(line, []byte{0})
		return strings.HasPrefix(filepath.Base(string(program)), "containerd-shim") && bytes.Contains(line, address)
	})
}

func childrenOf(parent int) []int {
	return findProcesses(func(pid int) bool {
		fields := stat(pid)
		return len(fields) > 1 && fields[1] == strconv.Itoa(parent)
	})
}

// findProcesses returns the PIDs for which pick returns true.
func findProcesses(pick func(pid int) bool) []int {
	var found []int
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil && pid > 1 && pick(pid) {
			found = append(found, pid)
		}
	}
	return found
}

// terminate sends SIGTERM to a process and waits. It kills the process if it does not exit within grace.
func terminate(ctx context.Context, pid int, grace time.Duration) error {
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && err != syscall.ESRCH {
		return fmt.Errorf("terminating process %d: %w", pid, err)
	}
	ended := func() bool { return !alive(pid) }
	if poll(ctx, grace, ended) {
		return nil
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && err != syscall.ESRCH {
		return fmt.Errorf("killing process %d: %w", pid, err)
	}
	if !poll(context.WithoutCancel(ctx), 5*time.Second, ended) {
		return fmt.Errorf("killing process %d: it is still running", pid)
	}
	return nil
}

// poll calls condition every 50 ms until it returns true, the limit passes or ctx is done, and returns the result.
func poll(ctx context.Context, limit time.Duration, condition func() bool) bool {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-ctx.Done():
			return false
		case <-deadline.C:
			return condition()
		case <-tick.C:
		}
	}
	return true
}
