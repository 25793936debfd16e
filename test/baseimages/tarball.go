// SPDX-License-Identifier: Apache-2.0

package baseimages

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxFollowed limits how many links out of a tree are followed in a row.
const maxFollowed = 8

// tarball writes a tar whose entries all belong to root. It keeps the first error for pack to return.
type tarball struct {
	out *tar.Writer
	err error
}

// pack writes a tar with the entries that files adds.
func pack(w io.Writer, files func(*tarball)) error {
	t := &tarball{out: tar.NewWriter(w)}
	files(t)
	if t.err != nil {
		return t.err
	}
	return t.out.Close()
}

func (t *tarball) header(h tar.Header) {
	if t.err == nil {
		h.Name = strings.TrimPrefix(h.Name, "/")
		t.err = t.out.WriteHeader(&h)
	}
}

func (t *tarball) dir(name string) {
	t.header(tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755})
}

func (t *tarball) link(name, target string) {
	t.header(tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777})
}

func (t *tarball) text(name string, mode int64, content string) {
	t.header(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(content))})
	if t.err == nil {
		_, t.err = io.WriteString(t.out, content)
	}
}

// file copies a file of the machine.
func (t *tarball) file(name, source string) {
	if t.err != nil {
		return
	}
	in, err := os.Open(source)
	if err != nil {
		t.err = err
		return
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		t.err = err
		return
	}
	mode := int64(0o644)
	if info.Mode()&0o100 != 0 {
		mode = 0o755
	}
	t.header(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: info.Size(), ModTime: info.ModTime()})
	if t.err == nil {
		_, t.err = io.Copy(t.out, in)
	}
}

// tree copies a directory of the machine, except the named entries at its top. Relative links inside the tree stay
// links; the targets of all others are copied.
func (t *tarball) tree(name, source string, except ...string) {
	t.copyTree(name, source, except, 0)
}

func (t *tarball) copyTree(name, source string, except []string, followed int) {
	if t.err != nil {
		return
	}
	if followed > maxFollowed {
		t.err = fmt.Errorf("copying %s: more than %d links in a row", source, maxFollowed)
		return
	}
	t.err = filepath.WalkDir(source, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(source, path)
		if err != nil {
			return err
		}
		if slices.Contains(except, relative) {
			return skip(entry)
		}
		t.entry(filepath.Join(name, relative), path, source, entry, followed)
		return t.err
	})
}

func skip(entry fs.DirEntry) error {
	if entry.IsDir() {
		return fs.SkipDir
	}
	return nil
}

func (t *tarball) entry(name, path, root string, entry fs.DirEntry, followed int) {
	switch {
	case entry.IsDir():
		t.dir(name)
	case entry.Type().IsRegular():
		t.file(name, path)
	case entry.Type() == fs.ModeSymlink:
		t.followOrLink(name, path, root, followed)
	}
}

func (t *tarball) followOrLink(name, path, root string, followed int) {
	link, err := os.Readlink(path)
	if err != nil {
		t.err = err
		return
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return // Leave out dangling links.
	}
	inside := strings.HasPrefix(target, root+"/") && !filepath.IsAbs(link)
	info, err := os.Stat(target)
	switch {
	case err != nil:
		t.err = err
	case inside:
		t.link(name, link)
	case info.IsDir():
		t.copyTree(name, target, nil, followed+1)
	default:
		t.file(name, target)
	}
}
