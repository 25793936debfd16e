package content

import (
	"archive/tar"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// Layout is how a package is written into a tar that is unpacked at /.
type Layout struct {
	Dir         string   // where the package's root goes; absolute
	Writable    []string // directories of the container that everybody may write to, made first; absolute
	Executables []string // files that are executable whatever their mode says; absolute
}

// WriteTar writes the package as a tar without compression. Nothing in it depends on who writes it, or when: each
// directory is an entry of its own, owners are 0:0, times zero, modes 0755 or 0644.
func (p *Package) WriteTar(w io.Writer, layout Layout) error {
	archive := tar.NewWriter(w)
	for _, dir := range layout.Writable {
		if err := archive.WriteHeader(directory(dir, 0o777)); err != nil {
			return err
		}
	}
	for _, dir := range p.directories() {
		if dir = path.Join(layout.Dir, dir); inRoot(dir) == "" {
			continue
		}
		if err := archive.WriteHeader(directory(dir, 0o755)); err != nil {
			return fmt.Errorf("packing %s: %w", dir, err)
		}
	}
	for _, f := range p.Files {
		if f.Dir {
			continue
		}
		name := path.Join(layout.Dir, f.Path)
		f.Executable = f.Executable || slices.Contains(layout.Executables, name)
		if err := p.writeFile(archive, f, inRoot(name)); err != nil {
			return fmt.Errorf("packing %s: %w", f.fsPath, err)
		}
	}
	return archive.Close()
}

// writeFile adds one file under a name of its own.
func (p *Package) writeFile(archive *tar.Writer, f File, name string) error {
	opened, err := p.FS.Open(f.fsPath)
	if err != nil {
		return err
	}
	defer opened.Close()
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode(f.Executable), Size: f.Size}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.Copy(archive, opened)
	return err
}

func directory(name string, mode int64) *tar.Header {
	return &tar.Header{Typeflag: tar.TypeDir, Name: inRoot(name) + "/", Mode: mode}
}

// inRoot is an absolute path as the name of an entry in a tar for the root directory.
func inRoot(path string) string { return strings.TrimPrefix(path, "/") }

func mode(executable bool) int64 {
	if executable {
		return 0o755
	}
	return 0o644
}
