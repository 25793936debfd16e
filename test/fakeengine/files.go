// SPDX-License-Identifier: Apache-2.0

package fakeengine

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
)

// Files holds the files of a container or an image. Its methods are safe for concurrent use and take absolute paths.
type Files struct {
	mu      sync.Mutex
	entries map[string]File
}

// File is a file, directory, link or device.
type File struct {
	Header  tar.Header
	Content []byte
}

// NewFiles returns regular files with these contents, by path.
func NewFiles(contents map[string]string) *Files {
	f := &Files{entries: map[string]File{}}
	for name, content := range contents {
		f.Write(name, content, 0o644)
	}
	return f
}

// Write writes a regular file.
func (f *Files) Write(name, content string, mode int64) {
	f.Add(name, tar.Header{Typeflag: tar.TypeReg, Mode: mode}, content)
}

// Add adds an entry of any type, and its missing parent directories.
func (f *Files) Add(name string, header tar.Header, content string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.add(path.Clean(name), File{header, []byte(content)})
}

func (f *Files) add(name string, file File) {
	for dir := path.Dir(name); dir != "/"; dir = path.Dir(dir) {
		if _, ok := f.entries[dir]; !ok {
			f.entries[dir] = File{Header: tar.Header{Typeflag: tar.TypeDir, Mode: 0o755}}
		}
	}
	if name != "/" {
		f.entries[name] = file
	}
}

// Read returns the content of a file, or "" if it does not exist.
func (f *Files) Read(name string) string {
	file, _ := f.Get(name)
	return string(file.Content)
}

// Get returns a file and whether it exists.
func (f *Files) Get(name string) (File, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	file, ok := f.entries[path.Clean(name)]
	return file, ok
}

// Names returns all paths below a directory, sorted.
func (f *Files) Names(dir string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var names []string
	for name := range f.entries {
		if strings.HasPrefix(name, strings.TrimSuffix(dir, "/")+"/") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (f *Files) clone() *Files {
	if f == nil {
		return NewFiles(nil)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return &Files{entries: maps.Clone(f.entries)}
}

// unpack adds all files of an archive, or none if it is broken.
func (f *Files) unpack(dir string, archive io.Reader) error {
	var order []string
	files := map[string]File{}
	for reader := tar.NewReader(archive); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			return err
		}
		name := path.Join(dir, header.Name)
		order = append(order, name)
		files[name] = File{*header, content}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range order {
		f.add(name, files[name])
	}
	return nil
}

// Pack writes an archive of a file, or of a directory and everything below it. Names begin with the last element of
// root.
func (f *Files) Pack(w io.Writer, root string) error {
	archive := tar.NewWriter(w)
	for _, name := range append([]string{root}, f.Names(root)...) {
		file, ok := f.Get(name)
		if !ok {
			continue
		}
		header := file.Header
		header.Format, header.PAXRecords, header.Size = tar.FormatUnknown, nil, int64(len(file.Content))
		header.Name = path.Join(path.Base(root), strings.TrimPrefix(name, root))
		if header.Typeflag == tar.TypeDir {
			header.Name += "/"
		}
		if err := archive.WriteHeader(&header); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if _, err := archive.Write(file.Content); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return archive.Close()
}
