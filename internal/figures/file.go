// SPDX-License-Identifier: Apache-2.0

package figures

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"fabric-builder-docker/internal/regular"
)

// FileName is the name of the file in its directory. The collector reads all files there whose names end in .prom.
const FileName = "fabric_chaincode_builder.prom"

// tempName is the name of a file until it is complete. Only who holds the lock has one, so the next one removes what a program
// that was killed has left.
const tempName = ".fabric_chaincode_builder.tmp"

// maxFile is the size of the largest file that is read, in bytes. This version's have some kilobytes.
const maxFile = 1 << 20

// update adds what was counted to the file in a directory, unless ctx ends before it has the lock.
func update(ctx context.Context, directory string, more map[string]float64) error {
	unlock, err := lock(ctx, directory)
	if err != nil {
		return err
	}
	defer unlock()
	path := filepath.Join(directory, FileName)
	found, err := read(path)
	if err != nil {
		return err
	}
	return replace(path, filepath.Join(directory, tempName), found.text(more))
}

// lock locks a directory: there is no lock file that somebody could remove, or that belongs to another user. All programs of one
// machine see the lock, also from different containers.
func lock(ctx context.Context, directory string) (unlock func() error, err error) {
	dir, err := os.OpenFile(directory, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	for pause := time.Millisecond; ; pause = min(2*pause, 20*time.Millisecond) {
		switch err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
		case err == nil:
			return dir.Close, nil
		case !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR):
			dir.Close()
			return nil, fmt.Errorf("locking the directory: %w", err)
		}
		select {
		case <-ctx.Done():
			dir.Close()
			return nil, errTooLate
		case <-time.After(pause):
		}
	}
}

// read reads the file, if it exists. An empty one is as good as none: nothing can be lost in it.
func read(path string) (document, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return parse(nil)
	}
	if err == nil && !info.Mode().IsRegular() { // a link, too, would be replaced
		err = errForeign
	}
	if err != nil {
		return document{}, err
	}
	text, err := regular.ReadFile(path, maxFile)
	if err != nil {
		return document{}, err
	}
	return parse(text)
}

// replace puts a new file in the place of the one at path. It does not wait until the disk has it: after a power failure, the
// file may be an earlier one, or empty. Whoever runs the collector can read it, whatever the umask is.
func replace(path, temp string, text []byte) (err error) {
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temp))
		}
	}()
	_, err = file.Write(text)
	if err == nil {
		err = file.Chmod(0o644)
	}
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Rename(temp, path)
}
