// Package content handles a chaincode package as files: it reads and checks them, computes digests, writes them into
// tars, filters a build's output, and saves a package's source. It knows no container engine.
package content

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// Package is the content of a chaincode package, or a part of it: files and directories, each
// directory ahead of what is in it, by name.
type Package struct {
	Files []File
	FS    fs.FS // what the files are read from, by their paths in the whole package; it takes names that are not UTF-8
	close func() error
}

// File is one file or directory of a package.
type File struct {
	Path       string // slash-separated, relative to the root of the Package; bytes, not always UTF-8
	Dir        bool
	Executable bool
	Size       int64
	SHA256     string // of its bytes, in hex
	MentionsC  bool   // a Go file that holds "C", quotes included: it may use cgo
	fsPath     string // its path in Package.FS
}

// metaInf is the directory at a package's root that is for release and never uploaded.
const metaInf = "META-INF"

// rootFS is an [os.Root] as a file system that takes names which are not UTF-8, too.
type rootFS struct{ root *os.Root }

func (r rootFS) Open(name string) (fs.File, error) { return r.root.Open(name) }

// Open reads the package in SOURCE_DIR. The caller closes it, and nothing of it can be used then.
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

// Close closes SOURCE_DIR.
func (p *Package) Close() error {
	if p.close == nil {
		return nil
	}
	return p.close()
}

// Read reads a package, all of it but the directory META-INF. Anything but files and directories is an error.
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
	hash, mention := sha256.New(), &mention{word: cgo}
	into := io.Writer(hash)
	if path.Ext(name) == ".go" {
		into = io.MultiWriter(hash, mention)
	}
	size, err := io.Copy(into, opened)
	if err != nil {
		return File{}, fmt.Errorf("reading %s: %w", name, err)
	}
	return File{
		Path: name, Executable: info.Mode()&0o111 != 0, Size: size, SHA256: hex.EncodeToString(hash.Sum(nil)),
		MentionsC: mention.found, fsPath: name,
	}, nil
}

// Below is the part of the package in a directory, with paths relative to that; "." is all of it.
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

// Only is the part of the package that keep says true for.
func (p *Package) Only(keep func(File) bool) *Package {
	part := &Package{FS: p.FS}
	for _, f := range p.Files {
		if keep(f) {
			part.Files = append(part.Files, f)
		}
	}
	return part
}

// Without is the package without files and directories of these names, whatever directory they are in. Names are
// patterns as path.Match has them.
func (p *Package) Without(names ...string) *Package {
	if len(names) == 0 {
		return p
	}
	return p.Only(func(f File) bool {
		return !slices.ContainsFunc(strings.Split(f.Path, "/"), func(element string) bool {
			return slices.ContainsFunc(names, func(name string) bool {
				matches, _ := path.Match(name, element)
				return matches
			})
		})
	})
}

// directories are all directories of the package, those on the way to its files included, parents first. The root is
// the first, ".".
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
