package metadata

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// CheckDir refuses a path that is no directory; name is what the directory is, for the message.
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

// MakeOutputDir makes the directory of a build where there is none, and refuses one that nothing can be written to:
// minutes later, with an image built, that would be too late.
func MakeOutputDir(path string) error {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return fmt.Errorf("making the output directory %s: %w", path, reason(err))
	}
	probe, err := os.CreateTemp(path, ".writable-*")
	if err != nil {
		return fmt.Errorf("writing to the output directory %s: %w", path, reason(err))
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}
