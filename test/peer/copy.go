// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// copyDir copies the results of a program to the peer's store, in lexical order. It keeps modes, and loses owners and
// times. It refuses anything except directories, regular files, and symbolic links that stay inside. After a failure it
// removes the destination, but nothing beside it.
func copyDir(from, to string) error {
	err := filepath.Walk(from, func(path string, info fs.FileInfo, err error) error {
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		return copyEntry(from, path, filepath.Join(to, inside), info)
	})
	if err != nil {
		_ = os.RemoveAll(to)
		return fmt.Errorf("failed to copy %s to %s: %w", from, to, err)
	}
	return nil
}

func copyEntry(root, from, to string, info fs.FileInfo) error {
	switch {
	case info.IsDir():
		return os.MkdirAll(to, info.Mode())
	case info.Mode()&fs.ModeSymlink != 0:
		return copySymlink(root, from, to)
	case info.Mode().IsRegular():
		return copyFile(from, to)
	default:
		return fmt.Errorf("refusing to copy unsupported file %s with mode %v", from, info.Mode())
	}
}

func copySymlink(root, from, to string) error {
	target, err := os.Readlink(from)
	if err != nil {
		return err
	}
	if filepath.IsAbs(target) {
		return fmt.Errorf("refusing to copy absolute symlink %s -> %s", from, target)
	}
	inside, err := filepath.Rel(root, filepath.Join(filepath.Dir(from), target))
	if err != nil {
		return err
	}
	if inside == ".." || strings.HasPrefix(inside, "../") {
		return fmt.Errorf("refusing to copy symlink %s -> %s pointing outside of source root", from, target)
	}
	return os.Symlink(target, to)
}

func copyFile(from, to string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	info, err := source.Stat()
	if err != nil {
		return err
	}
	destination, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := destination.Close(); err == nil {
			err = closeErr
		}
	}()
	if err := os.Chmod(to, info.Mode()); err != nil {
		return err
	}
	_, err = io.Copy(destination, source)
	return err
}
