// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"bytes"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"fabric-builder-docker/internal/content"
	"fabric-builder-docker/internal/metadata"
)

// Builds without C share one build cache. The go command looks up a compiled package in it by a hash of its inputs: the Go
// files of the package, the files that they embed and, for assembly, the files in the package's own directory that no
// build constraint excludes. It does not hash files that assembly includes from other directories or that a constraint
// excludes. For a package with assembly, a cache hit could therefore be code compiled from a different source.
//
// The build prevents that with a key, a digest of all uploaded files that are not Go. It passes the key to the compiler
// as the value of the flag -I for each such package. The go command hashes compiler flags, and -I has no other effect,
// because the go command passes the compiler a list of imports as well.
//
// A package from the module cache needs no key: the path and version of its module, which are hashed, determine its
// files, and the builder image, which has its own cache, determines the files of the system. If its assembly includes files by
// more than their names, the build script compiles all packages under a key of its own.

// goAssembly is the extension of files whose includes the go command does not hash in builds without C.
const goAssembly = ".s"

// allGo is the go command's pattern for all packages. The script excludes the standard library from it.
const allGo = "all"

// maxGoPatterns limits the number of arguments to the go command.
const maxGoPatterns = 200

// goKey returns the key and the patterns of the packages to compile with it: the directories with assembly,
// relative to layout.dir, or allGo. Both are empty if the go command hashes all inputs.
//
// The pattern is allGo if the package redirects modules, if there are too many directories, or if no pattern can name one
// of them.
func (r request) goKey(layout goLayout) (key string, patterns []string) {
	upload := r.content.Without(goLeftOut...)
	var dirs []string
	all := r.goRedirects(layout)
	for _, f := range upload.Files {
		if !f.Dir && path.Ext(f.Path) == goAssembly {
			dirs = append(dirs, path.Dir(f.Path))
		}
	}
	for _, dir := range sortUnique(dirs) {
		pattern, ok := r.goPattern(layout, dir)
		all = all || !ok
		patterns = append(patterns, pattern)
	}
	if all || len(patterns) > maxGoPatterns {
		patterns = []string{allGo}
	}
	if len(patterns) == 0 {
		return "", nil
	}
	others := upload.Only(func(f content.File) bool { return !f.Dir && path.Ext(f.Path) != ".go" })
	digest := content.NewDigest()
	digest.AddFiles("not Go", others.Files)
	if slices.ContainsFunc(others.Files, r.mayIncludeGo) {
		digest.AddFiles("all", upload.Files)
	}
	return digest.Sum(), patterns
}

// The assembler includes any file, even one of Go. plainInclude matches a line that includes another, or that is a comment.
var (
	goInclude    = []byte("include")
	plainInclude = regexp.MustCompile(`^\s*(#\s*include\s+"[A-Za-z0-9_./-]+\.(h|inc|s)"\s*(//[^*]*)?|#\s*include\s*<[^>"*]*>\s*|//[^*]*)$`)
)

// mayIncludeGo reports whether a file that assembly could include may include a Go file. Such a name can be written in many ways,
// so it reports true for everything but plain ones. As these lead from assembly to headers alone, it looks at no other files: a
// license has the word, too.
func (r request) mayIncludeGo(f content.File) bool {
	if !slices.Contains([]string{goAssembly, ".h", ".inc"}, path.Ext(f.Path)) {
		return false
	}
	text, err := metadata.ReadFile(r.content.FS, f.Path)
	if err != nil {
		return true
	}
	for line := range bytes.Lines(text) {
		if bytes.Contains(line, goInclude) && !plainInclude.Match(bytes.TrimRight(line, "\r\n")) {
			return true
		}
	}
	return false
}

// goRedirects reports whether the package may take modules from other directories (with a replacement or a workspace), so
// that the path and version of a module do not determine its files. With a vendor directory, all code is in the upload.
func (r request) goRedirects(layout goLayout) bool {
	if slices.ContainsFunc(r.content.Files, func(f content.File) bool { return path.Base(f.Path) == "go.work" }) {
		return true
	}
	if layout.mode != "readonly" {
		return false
	}
	text, err := metadata.ReadFile(r.content.FS, r.sourcePath(path.Join(layout.dir, "go.mod")))
	return err != nil || strings.Contains(string(text), "replace")
}

// plainDirs matches the directories that a pattern of the go command can name.
var plainDirs = regexp.MustCompile(`^[a-zA-Z0-9/._~+@-]+$`)

// goPattern returns the go command's pattern for the package in a directory of the upload, and whether there is one.
func (r request) goPattern(layout goLayout, dir string) (string, bool) {
	if r.atRoot {
		dir = path.Join("src", dir)
	}
	relative, err := filepath.Rel(layout.dir, dir)
	if err != nil || !plainDirs.MatchString(relative) || strings.Contains(relative, "...") {
		return "", false
	}
	if !strings.HasPrefix(relative, "..") {
		relative = "./" + relative
	}
	return relative, true
}

func sortUnique(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}
