// SPDX-License-Identifier: Apache-2.0

package content

import (
	"archive/tar"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"
)

// Layout describes where WriteTar puts the files of a package. The tar is unpacked at /.
type Layout struct {
	Dir         string    // absolute path of the package's root
	Writable    []string  // absolute paths of additional directories with mode 0777
	Executables []string  // absolute paths of files to make executable, whatever their mode
	ModTime     time.Time // of files; zero: 1970
	More        []Text    // further files
}

// Text is a file that a package does not hold.
type Text struct {
	Path string // absolute
	Text []byte
}

// WriteTar writes the package as an uncompressed tar. The result is reproducible: every directory has an entry, owners
// are 0:0, all files have one time, and modes are 0755 or 0644.
func (p *Package) WriteTar(w io.Writer, layout Layout) error {
	archive := tar.NewWriter(w)
	for _, dir := range layout.Writable {
		if err := archive.WriteHeader(dirHeader(dir, 0o777)); err != nil {
			return err
		}
	}
	for _, dir := range p.directories() {
		if dir = path.Join(layout.Dir, dir); inRoot(dir) == "" {
			continue
		}
		if err := archive.WriteHeader(dirHeader(dir, 0o755)); err != nil {
			return fmt.Errorf("packing %s: %w", dir, err)
		}
	}
	for _, f := range p.Files {
		if f.Dir {
			continue
		}
		name := path.Join(layout.Dir, f.Path)
		f.Executable = f.Executable || slices.Contains(layout.Executables, name)
		if err := p.writeFile(archive, f, inRoot(name), layout.ModTime); err != nil {
			return fmt.Errorf("packing %s: %w", f.Path, err)
		}
	}
	for _, more := range layout.More {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: inRoot(more.Path), Mode: mode(false), Size: int64(len(more.Text)), ModTime: layout.ModTime}
		if err := archive.WriteHeader(header); err != nil {
			return fmt.Errorf("packing %s: %w", more.Path, err)
		}
		if _, err := archive.Write(more.Text); err != nil {
			return err
		}
	}
	return archive.Close()
}

// WriteLayer writes the package as a layer of an image, with its root in dir.
func (p *Package) WriteLayer(w io.Writer, dir string) error {
	for _, f := range p.Files {
		if err := checkLayerName(f.Path); err != nil {
			return err
		}
	}
	return p.WriteTar(w, Layout{Dir: dir})
}

// writeFile adds the file f to the archive under the given name and with the given time.
func (p *Package) writeFile(archive *tar.Writer, f File, name string, modTime time.Time) error {
	opened, err := p.open(f)
	if err != nil {
		return err
	}
	defer opened.Close()
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode(f.Executable), Size: f.Size, ModTime: modTime}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(archive, opened)
	return err
}

func (p *Package) open(f File) (io.ReadCloser, error) {
	if f.fsPath == "" {
		return io.NopCloser(strings.NewReader(f.text)), nil
	}
	return p.FS.Open(f.fsPath)
}

func dirHeader(name string, mode int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeDir, Name: inRoot(name) + "/", Mode: mode}
}

// inRoot converts an absolute path to the name of an entry in a tar that is unpacked at /.
func inRoot(path string) string { return strings.TrimPrefix(path, "/") }

func mode(executable bool) int64 {
	if executable {
		return 0o755
	}
	return 0o644
}
