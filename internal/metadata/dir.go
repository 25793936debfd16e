package metadata

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
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
// would only find out after minutes, with the image already built.
func MakeOutputDir(path string) error {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return fmt.Errorf("creating the output directory %s: %w", path, reason(err))
	}
	probe, err := os.CreateTemp(path, ".writable-*")
	if err != nil {
		return fmt.Errorf("writing to the output directory %s: %w", path, reason(err))
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}
