package metadata

import (
	"fmt"
	"io"
	"io/fs"
	"os"
)

// MaxFile is the size of the largest file that is read into memory, in bytes. The peer unpacks what a package holds to its
// disk, and a file of zeros that makes a package of some megabytes would take all the memory of the peer's container.
const MaxFile = 16 << 20

// ReadFile reads a file of a package. It returns an error if the file is larger than MaxFile.
func ReadFile(source fs.FS, name string) ([]byte, error) {
	file, err := source.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readAll(file)
}

// readPath is ReadFile for the path of a file.
func readPath(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return readAll(file)
}

func readAll(file io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(file, MaxFile+1))
	if err == nil && len(data) > MaxFile {
		return nil, fmt.Errorf("the file is larger than %d MiB", MaxFile>>20)
	}
	return data, err
}
