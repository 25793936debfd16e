package engine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Lock makes demo and tests take turns: they share one engine, and each
// checks that it leaves nothing behind. It waits for whoever holds
// workDir/lock; the lock goes with the process that holds it.
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

// tryLock returns nothing when somebody else holds the lock.
func tryLock(name string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil && current(file) {
		return file, nil
	}
	return nil, file.Close()
}

// current is false when the file was removed (by Clean) since it was opened:
// the next one to come would lock another file.
func current(file *os.File) bool {
	ours, err := file.Stat()
	if err != nil {
		return false
	}
	theirs, err := os.Stat(file.Name())
	return err == nil && os.SameFile(ours, theirs)
}
