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

// Source is what a package is made from.
type Source struct {
	// Label and Path go into metadata.json as they are.
	Label, Path string
	// Type is golang, node or java. All others are made by hand: see Assemble.
	Type string
	// CodeDir holds the code, which becomes src/.
	CodeDir string
	// MetaInf holds what becomes META-INF/; CodeDir/META-INF if empty.
	MetaInf string
}

// left says what the CLI leaves out for a type.
type left struct {
	dirs      []string
	extension string
	hidden    bool
}

var leftOut = map[string]left{
	"golang": {hidden: true},
	"node":   {dirs: []string{"node_modules", ".git"}},
	"java":   {dirs: []string{"target", "build", "out", ".git"}, extension: ".class"},
}

// Pack writes a package as the peer's CLI does: the same source gives the same
// bytes, and every file loses its owner, its times and its execute bit. The
// index files are not checked, unlike the CLI.
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
	rules, ok := leftOut[s.Type]
	if !ok {
		return nil, fmt.Errorf("the CLI packs no %q", s.Type)
	}
	inner := filepath.Join(s.CodeDir, "META-INF")
	entries, err := collect(s.CodeDir, "src", func(file string, info fs.FileInfo) bool {
		return file == inner || rules.omit(file, info)
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

func (l left) omit(file string, info fs.FileInfo) bool {
	if info.IsDir() {
		return slices.Contains(l.dirs, info.Name()) || l.hidden && strings.HasPrefix(info.Name(), ".")
	}
	return l.extension != "" && filepath.Ext(file) == l.extension
}

// collect reads the files below a directory. Symlinks are followed, as the CLI
// does.
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

// directories are the entries that the CLI writes for golang alone.
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
