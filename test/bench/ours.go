// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// patience is how long a program may take to exit after SIGTERM.
const patience = 10 * time.Second

// buildCommand returns a call of a builder's build as the peer makes it, with a bare environment, and the buffer that
// collects its stderr.
func buildCommand(ctx context.Context, builder string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.CommandContext(ctx, filepath.Join(builder, "bin", "build"), args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = patience
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "GOPROXY=" + goProxy()}
	said := &bytes.Buffer{}
	cmd.Stderr = said
	return cmd, said
}

// ours builds a package with bin/build and returns how long that took, from exec to exit.
func (b *bench) ours(ctx context.Context, pkg []byte) (time.Duration, error) {
	return b.oursWith(ctx, b.builder, pkg)
}

func (b *bench) oursWith(ctx context.Context, builder string, pkg []byte) (time.Duration, error) {
	d, err := b.unpack(pkg)
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(d.root)
	cmd, said := buildCommand(ctx, builder, d.source, d.metadata, d.output)
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("building our way: %w\n%s", err, said)
	}
	return time.Since(began), nil
}

// oursAtOnce builds packages in parallel and returns how long it took until the last one was done.
func (b *bench) oursAtOnce(ctx context.Context, pkgs ...[]byte) (time.Duration, error) {
	commands, said := make([]*exec.Cmd, len(pkgs)), make([]*bytes.Buffer, len(pkgs))
	for i, pkg := range pkgs {
		d, err := b.unpack(pkg)
		if err != nil {
			return 0, err
		}
		defer os.RemoveAll(d.root)
		commands[i], said[i] = buildCommand(ctx, b.builder, d.source, d.metadata, d.output)
	}
	var errs []error
	began := time.Now()
	for _, cmd := range commands {
		if err := cmd.Start(); err != nil {
			errs = append(errs, err)
		}
	}
	for i, cmd := range commands {
		if cmd.Process == nil {
			continue
		}
		if err := cmd.Wait(); err != nil {
			errs = append(errs, fmt.Errorf("building our way: %w\n%s", err, said[i]))
		}
	}
	return time.Since(began), errors.Join(errs...)
}
