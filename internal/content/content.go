// SPDX-License-Identifier: Apache-2.0

// Package content handles the files of a chaincode package: it reads and checks them, computes digests, writes them to
// tar archives, filters the output of a build, and saves and restores the source. It does not use a container engine.
package content

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/regular"
)

// Package is a chaincode package, or a part of one. Files are sorted by name, and each directory precedes its contents.
type Package struct {
	Files []File
	FS    fs.FS // the whole package; it accepts names that are not valid UTF-8
	close func() error
}

// File is one file or directory of a package.
type File struct {
	Path       string // slash-separated, relative to the root of the Package; not always valid UTF-8
	Dir        bool
	Executable bool
	Size       int64
	SHA256     string // in hex
	fsPath     string // path in Package.FS
	text       string // content of a file that is not in Package.FS; fsPath is empty then
}

// metaInf is the directory at the root of a package that only release uses. It is never uploaded.
const metaInf = "META-INF"

// rootFS makes an [os.Root] an fs.FS. Unlike the result of Root.FS, it accepts names that are not valid UTF-8.
type rootFS struct{ root *os.Root }

// Open does not wait for a FIFO that has taken the place of a file.
func (r rootFS) Open(name string) (fs.File, error) {
	return r.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// Open reads the package in SOURCE_DIR. The caller must close it when done, and cannot read its files afterwards.
func Open(sourceDir string) (*Package, error) {
	root, err := os.OpenRoot(sourceDir)
	if err != nil {
		return nil, fmt.Errorf("reading the package: %w", err)
	}
	pkg, err := Read(rootFS{root})
	if err != nil {
		root.Close()
		return nil, err
	}
	pkg.close = root.Close
	return pkg, nil
}

// driveLetter matches the beginning of a path of Windows.
var driveLetter = regexp.MustCompile(`^[A-Za-z]:(/|$)`)

// CheckNames returns an error if the package was made on Windows, with backslashes between directories or with drive letters.
// A backslash further down is taken for a part of a name: some npm packages test their tools with such names.
func (p *Package) CheckNames() error {
	for _, f := range p.Files {
		dir := path.Dir(f.Path)
		if driveLetter.MatchString(f.Path) || strings.Contains(path.Base(f.Path), `\`) && (dir == "." || dir == "src") {
			return fmt.Errorf("reading the package: %w", metadata.WindowsName(f.Path))
		}
	}
	return nil
}

// Close releases SOURCE_DIR.
func (p *Package) Close() error {
	if p.close == nil {
		return nil
	}
	return p.close()
}

// Read reads the package in source, except for the directory META-INF. It returns an error if the package contains
// anything other than regular files and directories.
func Read(source fs.FS) (*Package, error) {
	pkg := &Package{FS: source}
	err := fs.WalkDir(source, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name == ".":
			return nil
		case name == metaInf && entry.IsDir():
			return fs.SkipDir
		case entry.IsDir():
			pkg.Files = append(pkg.Files, File{Path: name, Dir: true, fsPath: name})
			return nil
		case !entry.Type().IsRegular():
			return fmt.Errorf("%s is neither a file nor a directory: a package may contain nothing else", name)
		}
		f, err := readFile(source, name)
		pkg.Files = append(pkg.Files, f)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the package: %w", err)
	}
	return pkg, nil
}

func readFile(source fs.FS, name string) (File, error) {
	opened, err := source.Open(name)
	if err != nil {
		return File{}, err
	}
	defer opened.Close()
	info, err := opened.Stat()
	if err != nil {
		return File{}, err
	}
	if err := regular.Check(info); err != nil {
		return File{}, fmt.Errorf("reading %s: %w", name, err)
	}
	hash := sha256.New()
	size, err := io.Copy(hash, opened)
	if err != nil {
		return File{}, fmt.Errorf("reading %s: %w", name, err)
	}
	return File{
		Path: name, Executable: info.Mode()&0o111 != 0, Size: size, SHA256: hex.EncodeToString(hash.Sum(nil)), fsPath: name,
	}, nil
}

// Sub returns the part of the package in dir, with paths relative to dir. For ".", it returns the package itself.
func (p *Package) Sub(dir string) *Package {
	if dir == "." {
		return p
	}
	part := &Package{FS: p.FS}
	for _, f := range p.Files {
		if rest, ok := strings.CutPrefix(f.Path, dir+"/"); ok {
			f.Path = rest
			part.Files = append(part.Files, f)
		}
	}
	return part
}

// Only returns the files and directories for which keep returns true.
func (p *Package) Only(keep func(File) bool) *Package {
	part := &Package{FS: p.FS}
	for _, f := range p.Files {
		if keep(f) {
			part.Files = append(part.Files, f)
		}
	}
	return part
}

// With returns the package with a file of the given text, which replaces one with the same path.
func (p *Package) With(name, text string) *Package {
	sum := sha256.Sum256([]byte(text))
	added := p.Only(func(f File) bool { return f.Path != name })
	added.Files = append(added.Files, File{Path: name, Size: int64(len(text)), SHA256: hex.EncodeToString(sum[:]), text: text})
	slices.SortFunc(added.Files, func(a, b File) int {
		return slices.Compare(strings.Split(a.Path, "/"), strings.Split(b.Path, "/"))
	})
	return added
}

// Without returns the package without the files and directories that have one of the given names, at any depth. A name that
// begins with a slash is a path from the root instead. Names are patterns for path.Match.
func (p *Package) Without(names ...string) *Package {
	if len(names) == 0 {
		return p
	}
	return p.Only(func(f File) bool {
		elements := strings.Split(f.Path, "/")
		return !slices.ContainsFunc(names, func(name string) bool {
			candidates := elements
			if root, anchored := strings.CutPrefix(name, "/"); anchored {
				depth := min(strings.Count(name, "/"), len(elements))
				name, candidates = root, []string{strings.Join(elements[:depth], "/")}
			}
			return slices.ContainsFunc(candidates, func(element string) bool {
				matches, _ := path.Match(name, element)
				return matches
			})
		})
	})
}

// directories returns all directories of the package, including those that only appear in the paths of files. Parents
// come first, starting with ".", the root.
func (p *Package) directories() []string {
	seen := map[string]bool{".": true}
	for _, f := range p.Files {
		if f.Dir {
			seen[f.Path] = true
		}
		for dir := path.Dir(f.Path); !seen[dir]; dir = path.Dir(dir) {
			seen[dir] = true
		}
	}
	var all []string
	for dir := range seen {
		all = append(all, dir)
	}
	slices.Sort(all)
	return all
}
