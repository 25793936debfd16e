// SPDX-License-Identifier: Apache-2.0

package metadata

import (
	"io/fs"

	"fabric-builder-docker/internal/regular"
)

// MaxFile is the size of the largest file that is read into memory, in bytes. The peer unpacks what a package holds to its
// disk, and a file of zeros that makes a package of some megabytes would take all the memory of the peer's container.
const MaxFile = 16 << 20

// ReadFile reads a file of a package. It returns an error if the file is larger than MaxFile, or not a regular file.
func ReadFile(source fs.FS, name string) ([]byte, error) {
	if info, err := fs.Stat(source, name); err == nil {
		if err := regular.Check(info); err != nil {
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
	}
	file, err := source.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return regular.Read(file, MaxFile)
}
