// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"fabric-builder-docker/test/engine"
)

// runCommand runs the command, and compares what the engine holds before and after it.
func runCommand(ctx context.Context, args arguments, s environment, opts engine.Options) (status int, err error) {
	session, err := open(ctx, args, s, opts)
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, session.close(ctx)) }()
	if session.alone() {
		if err := sweep(ctx, session.client, s.log); err != nil {
			return 1, err
		}
	}
	before, err := listObjects(ctx, session.client)
	if err != nil {
		return 1, err
	}
	status, err = execute(ctx, args.command, session.env())
	if err != nil {
		return 1, err
	}
	return status, check(ctx, session, before)
}

// check returns an error if the command left objects behind. It runs even after a signal.
func check(ctx context.Context, s *session, before state) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	after, err := listObjects(ctx, s.client)
	if err != nil {
		return err
	}
	return leftoversError(leftovers(before, after, s.alone()))
}

// execute runs the command in its own process group, so that a signal reaches everything it has started. If a signal
// ended the command, the status is the shell's: 128 plus the signal's number.
func execute(ctx context.Context, command, env []string) (int, error) {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(cmd.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	if err := ctx.Err(); err != nil {
		return 1, err // The signal came before the command was started.
	}
	if err := cmd.Start(); err != nil {
		return 1, fmt.Errorf("starting the command: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case sig := <-signals:
			_ = syscall.Kill(-cmd.Process.Pid, sig.(syscall.Signal))
		case err := <-ended:
			return exitStatus(err)
		}
	}
}

func exitStatus(err error) (int, error) {
	var exit *exec.ExitError
	if err == nil || !errors.As(err, &exit) {
		return 0, err
	}
	if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal()), nil
	}
	return exit.ExitCode(), nil
}
