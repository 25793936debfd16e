// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// untar unpacks a package's code as the peer does: directories with mode 0700 whatever the archive says, files with the
// archive's mode less the umask. Any other type is an error.
func untar(code io.Reader, to string) error {
	unzipped, err := gzip.NewReader(code)
	if err != nil {
		return fmt.Errorf("unpacking code: %w", err)
	}
	defer unzipped.Close()
	archive := tar.NewReader(unzipped)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("unpacking code: %w", err)
		}
		if err := untarEntry(header, archive, to); err != nil {
			return fmt.Errorf("unpacking code: %w", err)
		}
	}
}

func untarEntry(header *tar.Header, content io.Reader, to string) error {
	if !filepath.IsLocal(filepath.Clean(header.Name)) {
		return fmt.Errorf("tar contains the absolute or escaping path '%s'", header.Name)
	}
	target := filepath.Join(to, header.Name)
	switch header.Typeflag {
	case tar.TypeDir:
		return os.MkdirAll(target, 0o700)
	case tar.TypeReg:
		return untarFile(target, os.FileMode(header.Mode), content)
	default:
		return fmt.Errorf("invalid file type '%v' contained in archive for file '%s'", header.Typeflag, header.Name)
	}
}

func untarFile(target string, mode os.FileMode, content io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(target, os.O_CREATE|os.O_RDWR, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(file, content); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}
