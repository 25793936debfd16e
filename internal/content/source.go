// SPDX-License-Identifier: Apache-2.0

package content

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/regular"
)

// Save writes the package to OUTPUT_DIR as a compressed tar that only its owner can read. run rebuilds the image from
// it if the image was removed. Saving the same package always writes the same bytes.
func (p *Package) Save(outputDir string) error {
	file, err := regular.Create(filepath.Join(outputDir, metadata.SourceFile), 0o600)
	if err != nil {
		return fmt.Errorf("saving the source: %w", err)
	}
	if err := errors.Join(p.save(file), file.Close()); err != nil {
		return fmt.Errorf("saving the source: %w", err)
	}
	return nil
}

func (p *Package) save(w io.Writer) error {
	compressed, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	return errors.Join(p.WriteTar(compressed, Layout{Dir: "/"}), compressed.Close())
}

// RestoreSource unpacks into dir the package that Save wrote to OUTPUT_DIR.
func RestoreSource(outputDir, dir string) error {
	file, err := regular.Open(filepath.Join(outputDir, metadata.SourceFile))
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("the source was not saved when the chaincode was installed (see builder.saveSource)")
	}
	if err != nil {
		return fmt.Errorf("unpacking the source: %w", err)
	}
	defer file.Close()
	if err := unpack(file, dir, OutputLimits{}); err != nil {
		return fmt.Errorf("unpacking %s: %w", file.Name(), err)
	}
	return nil
}

// codeFile is the archive with the code in a package file, next to metadata.json.
const codeFile = "code.tar.gz"

// UnpackPackage unpacks into dir a package file as the peer CLI writes it, up to packageLimits. It returns the directories that the peer
// would pass to build.
func UnpackPackage(path, dir string) (sourceDir, metadataDir string, err error) {
	sourceDir, metadataDir = filepath.Join(dir, "source"), filepath.Join(dir, "metadata")
	for _, step := range []struct{ from, to string }{{path, metadataDir}, {filepath.Join(metadataDir, codeFile), sourceDir}} {
		if err := unpackFile(step.from, step.to); err != nil {
			return "", "", fmt.Errorf("unpacking %s: %w", filepath.Base(step.from), err)
		}
	}
	return sourceDir, metadataDir, nil
}

func unpackFile(path, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	file, err := regular.Open(path)
	if errors.Is(err, fs.ErrNotExist) && filepath.Base(path) == codeFile {
		return errors.New("the package does not contain it: expected a package created by the peer CLI")
	}
	if err != nil {
		return err
	}
	defer file.Close()
	return unpack(file, dir, packageLimits)
}

// packageLimits limits what a package file may unpack: one of some megabytes can hold terabytes of zeros. They are far above
// what a peer takes, and a variable for tests.
var packageLimits = OutputLimits{Bytes: 4 << 30, Files: 1e6}

// unpack unpacks a gzipped tar into dir. It returns an error for anything other than files and directories, and for more than
// the limits.
func unpack(r io.Reader, dir string, limits OutputLimits) error {
	target, err := os.OpenRoot(dir) // rejects names that point outside dir
	if err != nil {
		return err
	}
	defer target.Close()
	compressed, err := gzip.NewReader(r)
	if err != nil {
		return err
	}
	counter := outputCounter{limits: limits}
	for archive := tar.NewReader(compressed); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if counter.count(header) != none {
			return fmt.Errorf("it holds more than %s in files, or more than %d files and directories", formatBytes(limits.Bytes), limits.Files)
		}
		if err := restoreFile(target, header, archive); err != nil {
			return fmt.Errorf("%s: %w", header.Name, err)
		}
	}
}

func restoreFile(target *os.Root, header *tar.Header, content io.Reader) error {
	switch header.Typeflag {
	case tar.TypeDir:
		return target.MkdirAll(path.Clean(header.Name), 0o700)
	case tar.TypeReg:
	default:
		return errors.New("neither a file nor a directory")
	}
	if err := target.MkdirAll(path.Dir(header.Name), 0o700); err != nil {
		return err
	}
	file, err := target.OpenFile(header.Name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fs.FileMode(header.Mode).Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Close())
}
