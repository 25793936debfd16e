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

// daemon returns the pid of this working directory's daemon and whether it is
// alive. A pid may have been given to another process since: the command line
// must name our pidfile.
func (p paths) daemon() (int, bool) {
	return pidIn(p.pidFile(), p.pidFile())
}

// containerd returns the pid of the containerd that the daemon started.
func (p paths) containerd() (int, bool) {
	return pidIn(filepath.Join(p.execRoot(), "containerd", "containerd.pid"), p.execRoot())
}

// pidIn reads a pidfile and says whether the process lives and has mark on
// its command line.
func pidIn(file, mark string) (int, bool) {
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

// alive is false for a process that has ended and waits to be reaped.
func alive(pid int) bool {
	fields := stat(pid)
	return len(fields) > 0 && fields[0] != "Z"
}

// stat returns a process's state, its parent and so on: what stands after the
// name, which may hold anything, in brackets.
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

// killOrphans ends the containers that outlived their daemon, as they do when
// it was killed. A new daemon would take over from it, but often in vain: its
// containerd waits for their keepers longer than the daemon waits for it.
func (p paths) killOrphans() {
	for _, keeper := range p.keepers() {
		for _, child := range childrenOf(keeper) {
			_ = syscall.Kill(child, syscall.SIGKILL)
		}
		_ = syscall.Kill(keeper, syscall.SIGKILL)
	}
}

// keepers returns the processes that containerd starts one of for each
// container of this working directory's daemon.
func (p paths) keepers() []int {
	address := []byte("\x00" + filepath.Join(p.execRoot(), "containerd", "containerd.sock") + "\x00")
	return processes(func(pid int) bool {
		line := commandLine(pid)
		program, _, _ := bytes.Cut(line, []byte{0})
		return strings.HasPrefix(filepath.Base(string(program)), "containerd-shim") && bytes.Contains(line, address)
	})
}

func childrenOf(parent int) []int {
	return processes(func(pid int) bool {
		fields := stat(pid)
		return len(fields) > 1 && fields[1] == strconv.Itoa(parent)
	})
}

// processes returns the pids for which pick holds.
func processes(pick func(pid int) bool) []int {
	var found []int
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil && pid > 1 && pick(pid) {
			found = append(found, pid)
		}
	}
	return found
}

// terminate asks a process to end, waits, and kills it when it does not.
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
		return fmt.Errorf("killing process %d: it is still there", pid)
	}
	return nil
}

// poll tries a condition until it holds, time is up or ctx is done.
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
