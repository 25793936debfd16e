// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

const (
	startLimit = 60 * time.Second
	stopGrace  = 30 * time.Second
)

// start starts the daemon and waits until it answers. The daemon runs in its own session, so that it outlives this
// process and a Ctrl-C in the terminal.
func start(ctx context.Context, p paths) error {
	if err := prepare(ctx, p); err != nil {
		return err
	}
	log, err := os.OpenFile(p.daemonLog(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("opening the daemon's log: %w", err)
	}
	defer log.Close()
	cmd := exec.Command(LookPath("dockerd"), daemonArgs(p)...)
	cmd.Env = withSystemPath(cmd.Environ())
	cmd.Dir, cmd.Stdout, cmd.Stderr = "/", log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting the daemon: %w", err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	if err := await(ctx, p, ended); err != nil {
		_ = terminate(context.WithoutCancel(ctx), cmd.Process.Pid, stopGrace)
		return fmt.Errorf("starting the daemon: %w; the end of %s:\n%s", err, p.daemonLog(), tail(p.daemonLog()))
	}
	return nil
}

// daemonArgs returns options that keep the daemon's files, its configuration included, apart from the machine's own
// daemon.
func daemonArgs(p paths) []string {
	return []string{
		"--host", p.host(),
		"--config-file", p.config(),
		"--data-root", p.data(),
		"--exec-root", p.execRoot(),
		"--pidfile", p.pidFile(),
		"--shutdown-timeout", "5",
	}
}

// prepare removes what an interrupted run left, and creates the directories.
func prepare(ctx context.Context, p paths) error {
	if err := stop(ctx, p); err != nil {
		return err
	}
	if err := p.make(); err != nil {
		return err
	}
	if err := os.Remove(p.daemonLog()); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("removing the log of an earlier daemon: %w", err)
	}
	if err := os.WriteFile(p.config(), []byte("{}\n"), 0o644); err != nil {
		return fmt.Errorf("writing the daemon's configuration: %w", err)
	}
	return nil
}

// await waits until the daemon answers, or returns an error if it exits.
func await(ctx context.Context, p paths, ended <-chan struct{}) error {
	over := false
	up := poll(ctx, startLimit, func() bool {
		select {
		case <-ended:
			over = true
			return true
		default:
			return pingSoon(ctx, p.host()) == nil
		}
	})
	switch {
	case over:
		return errors.New("it exited")
	case !up && ctx.Err() != nil:
		return ctx.Err()
	case !up:
		return fmt.Errorf("no answer within %s", startLimit)
	}
	return nil
}

// stop stops the daemon, its containerd and orphaned containers, then removes mounts and the short directory. It
// returns nil if nothing is running.
func stop(ctx context.Context, p paths) error {
	if pid, alive := p.daemon(); alive {
		if err := terminate(ctx, pid, stopGrace); err != nil {
			return err
		}
	}
	// The daemon stops its containerd, unless it was killed.
	ended := func() bool { _, alive := p.containerd(); return !alive }
	if pid, alive := p.containerd(); alive && !poll(ctx, 10*time.Second, ended) {
		if err := terminate(ctx, pid, stopGrace); err != nil {
			return err
		}
	}
	p.killOrphans()
	if err := unmount(p.data()); err != nil {
		return err
	}
	return RemoveTree(p.short)
}
