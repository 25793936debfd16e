// SPDX-License-Identifier: Apache-2.0

// Package regular opens regular files and nothing else. A FIFO, a socket or a device in the place of a file would hold a
// program up for ever, or never end.
package regular

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// Open opens a regular file for reading.
func Open(path string) (*os.File, error) {
	return open(path, os.O_RDONLY, 0)
}

// Create creates a file for writing, or truncates a regular file.
func Create(path string, perm fs.FileMode) (*os.File, error) {
	return open(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, perm)
}

// open looks at the kind of a file before it opens it, since merely opening a device can have an effect, and again at what it
// has opened.
func open(path string, flag int, perm fs.FileMode) (*os.File, error) {
	if info, err := os.Stat(path); err == nil {
		if err := Check(info); err != nil {
			return nil, &fs.PathError{Op: "open", Path: path, Err: err}
		}
	}
	file, err := os.OpenFile(path, flag|syscall.O_NONBLOCK, perm) // which has no effect on regular files, and does not wait for a FIFO
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil {
		err = Check(info)
	}
	if err != nil {
		file.Close()
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return file, nil
}

// nullDevice is the device number of /dev/null on Linux.
const nullDevice = 1<<8 | 3

// Check returns an error that names the kind of a file if it is not a regular file. It accepts /dev/null as an empty file,
// because operators mount it over a file to hide that from a container.
func Check(info fs.FileInfo) error {
	kind := "special file"
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		return syscall.EISDIR
	case mode&fs.ModeSymlink != 0:
		kind = "link"
	case mode&fs.ModeNamedPipe != 0:
		kind = "FIFO"
	case mode&fs.ModeSocket != 0:
		kind = "socket"
	case mode&fs.ModeDevice != 0:
		if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Rdev == nullDevice {
			return nil
		}
		kind = "device"
	}
	return fmt.Errorf("it is a %s, not a regular file", kind)
}

// ReadFile reads a regular file of at most limit bytes.
func ReadFile(path string, limit int64) ([]byte, error) {
	file, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return Read(file, limit)
}

// WriteFile writes a file, or replaces the content of a regular file.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	file, err := Create(path, perm)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	return err
}

// Read reads the rest of a file of at most limit bytes.
func Read(file io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(data)) > limit {
		unit, name := int64(1<<20), "MiB"
		if limit < unit {
			unit, name = 1<<10, "KiB"
		}
		return nil, fmt.Errorf("the file is larger than %d %s", limit/unit, name)
	}
	return data, err
}
