// SPDX-License-Identifier: Apache-2.0

package metadata

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// CheckDir returns an error if path is not a directory. name says in the error which directory it is, such as "source".
func CheckDir(name, path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s directory %s does not exist", name, path)
	case err != nil:
		return fmt.Errorf("reading the %s directory %s: %w", name, path, reason(err))
	case !info.IsDir():
		return fmt.Errorf("%s directory %s is not a directory", name, path)
	}
	return nil
}

// MakeOutputDir creates OUTPUT_DIR if it does not exist, and returns an error if it is not writable. Otherwise build
// would only find out after minutes, with the image already built. It removes what an earlier build has left there: release
// would take an old connection.json or META-INF for those of this package.
func MakeOutputDir(path string) error {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return fmt.Errorf("creating the output directory %s: %w", path, reason(err))
	}
	probe, err := os.CreateTemp(path, ".writable-*")
	if err != nil {
		return fmt.Errorf("writing to the output directory %s: %w", path, reason(err))
	}
	if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
		return err
	}
	for _, name := range []string{RecordFile, RebuiltFile, ConnectionFile, metaInf, SourceFile} { // the record first: without it, the others count for nothing
		if err := removeBuilt(filepath.Join(path, name)); err != nil {
			return fmt.Errorf("removing an earlier build from the output directory %s: %w", path, reason(err))
		}
	}
	return nil
}

// removeBuilt removes a file or directory that build may have made. Nothing else is: an error says so when build writes there.
func removeBuilt(path string) error {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() && !info.Mode().IsRegular() {
		return nil
	}
	return os.RemoveAll(path)
}

// SameDir reports whether two paths lead to the same existing directory.
func SameDir(one, other string) bool {
	first, firstErr := os.Stat(one)
	second, secondErr := os.Stat(other)
	return firstErr == nil && secondErr == nil && os.SameFile(first, second)
}
