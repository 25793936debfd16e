// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"archive/tar"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Source is the input of Pack.
type Source struct {
	// Label and Path go into metadata.json unchanged.
	Label, Path string
	// Type is golang, node or java. Use Assemble for other types.
	Type string
	// CodeDir holds the code, which becomes src/.
	CodeDir string
	// MetaInf is the directory that becomes META-INF/. Default: CodeDir/META-INF.
	MetaInf string
}

// exclusion lists what the CLI leaves out of a package.
type exclusion struct {
	dirs      []string
	extension string
	hidden    bool
}

// exclusions holds the exclusion for each type.
var exclusions = map[string]exclusion{
	"golang": {hidden: true},
	"node":   {dirs: []string{"node_modules", ".git"}},
	"java":   {dirs: []string{"target", "build", "out", ".git"}, extension: ".class"},
}

// Pack writes a package as the peer's CLI does. The same source gives the same bytes. Files lose their owner, times and
// execute bit. Unlike the CLI, it does not check index files.
func Pack(w io.Writer, source Source) error {
	entries, err := source.entries()
	if err != nil {
		return fmt.Errorf("packing %s: %w", source.CodeDir, err)
	}
	code, err := Archive(entries...)
	if err != nil {
		return err
	}
	metadata, err := json.Marshal(struct {
		Path  string `json:"path"`
		Type  string `json:"type"`
		Label string `json:"label"`
	}{source.Path, source.Type, source.Label})
	if err != nil {
		return fmt.Errorf("encoding %s: %w", metadataFile, err)
	}
	raw, err := Archive(Entry{Name: metadataFile, Body: metadata}, Entry{Name: codeFile, Body: code})
	if err != nil {
		return err
	}
	if _, err := w.Write(raw); err != nil {
		return fmt.Errorf("writing package: %w", err)
	}
	return nil
}

func (s Source) entries() ([]Entry, error) {
	excluded, ok := exclusions[s.Type]
	if !ok {
		return nil, fmt.Errorf("unsupported type %q: expected golang, node or java", s.Type)
	}
	inner := filepath.Join(s.CodeDir, "META-INF")
	entries, err := collect(s.CodeDir, "src", func(file string, info fs.FileInfo) bool {
		return file == inner || excluded.matches(file, info)
	})
	if err != nil {
		return nil, err
	}
	if s.MetaInf == "" {
		s.MetaInf = inner
	}
	if _, err := os.Stat(s.MetaInf); err == nil {
		metadata, err := collect(s.MetaInf, "META-INF", func(_ string, info fs.FileInfo) bool {
			return strings.HasPrefix(info.Name(), ".")
		})
		if err != nil {
			return nil, err
		}
		entries = append(entries, metadata...)
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("no source files found in '%s'", s.CodeDir)
	}
	slices.SortFunc(entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	if s.Type == "golang" {
		entries = append(directories(entries), entries...)
	}
	return entries, nil
}

func (l exclusion) matches(file string, info fs.FileInfo) bool {
	if info.IsDir() {
		return slices.Contains(l.dirs, info.Name()) || l.hidden && strings.HasPrefix(info.Name(), ".")
	}
	return l.extension != "" && filepath.Ext(file) == l.extension
}

// collect reads the files below a directory. Like the CLI, it follows symbolic links.
func collect(root, prefix string, omit func(string, fs.FileInfo) bool) ([]Entry, error) {
	var entries []Entry
	err := filepath.Walk(root, func(file string, info fs.FileInfo, err error) error {
		switch {
		case err != nil || file == root:
			return err
		case omit(file, info) && info.IsDir():
			return filepath.SkipDir
		case omit(file, info) || info.IsDir():
			return nil
		}
		body, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, file)
		entries = append(entries, Entry{Name: path.Join(prefix, filepath.ToSlash(name)), Body: body})
		return err
	})
	return entries, err
}

// directories returns the entries for directories, which the CLI writes only for golang.
func directories(files []Entry) []Entry {
	var names []string
	for _, file := range files {
		for dir := path.Dir(file.Name); dir != "."; dir = path.Dir(dir) {
			names = append(names, dir)
		}
	}
	slices.Sort(names)
	var entries []Entry
	for _, name := range slices.Compact(names) {
		entries = append(entries, Entry{Name: name + "/", Mode: 0o40755, Type: tar.TypeDir})
	}
	return entries
}
