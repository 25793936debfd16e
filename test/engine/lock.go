// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Lock lets the demo and the tests take turns, since they share an engine and check that they leave nothing behind. It
// waits until workDir/lock is free. The lock is released by release, or when the process ends.
func Lock(ctx context.Context, opts Options) (release func(), err error) {
	p, err := newPaths(opts.WorkDir)
	if err != nil {
		return nil, err
	}
	name := filepath.Join(p.work, "lock")
	var file *os.File
	take := func() bool { file, err = tryLock(name); return file != nil || err != nil }
	for told := false; !poll(ctx, time.Second, take); told = true {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("waiting for %s: %w", name, ctx.Err())
		}
		if !told {
			fmt.Fprintf(writer(opts.Log), "waiting for another run to end (%s)\n", name)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("taking the lock: %w", err)
	}
	return func() { _ = file.Close() }, nil
}

// tryLock returns nil if another process holds the lock.
func tryLock(name string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil && isCurrent(file) {
		return file, nil
	}
	return nil, file.Close()
}

// isCurrent reports whether the open file is still the one with its name. Clean may have removed it since; the next
// process would then lock another file.
func isCurrent(file *os.File) bool {
	ours, err := file.Stat()
	if err != nil {
		return false
	}
	theirs, err := os.Stat(file.Name())
	return err == nil && os.SameFile(ours, theirs)
}
