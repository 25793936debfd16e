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
)

// Save keeps the package in OUTPUT_DIR, compressed and readable for its owner alone: run builds the image from it when
// that is gone. The same package is saved as the same bytes.
func (p *Package) Save(outputDir string) error {
	file, err := os.OpenFile(filepath.Join(outputDir, metadata.SourceFile), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
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

// RestoreSource unpacks in dir what Save has kept in OUTPUT_DIR.
func RestoreSource(outputDir, dir string) error {
	file, err := os.Open(filepath.Join(outputDir, metadata.SourceFile))
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("the source was not kept at the install, see builder.saveSource")
	}
	if err != nil {
		return fmt.Errorf("unpacking the source: %w", err)
	}
	defer file.Close()
	if err := unpack(file, dir); err != nil {
		return fmt.Errorf("unpacking %s: %w", file.Name(), err)
	}
	return nil
}

// codeFile is the package's code in a package file, beside metadata.json.
const codeFile = "code.tar.gz"

// UnpackPackage unpacks a package file, as the peer's command line writes it, in dir. It returns what the peer would
// call build with.
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
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) && filepath.Base(path) == codeFile {
		return errors.New("it is not in the package: expected one of the peer's command line")
	}
	if err != nil {
		return err
	}
	defer file.Close()
	return unpack(file, dir)
}

// unpack unpacks a gzipped tar that holds files and directories only.
func unpack(r io.Reader, dir string) error {
	target, err := os.OpenRoot(dir) // nothing leads out of it
	if err != nil {
		return err
	}
	defer target.Close()
	compressed, err := gzip.NewReader(r)
	if err != nil {
		return err
	}
	for archive := tar.NewReader(compressed); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
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
