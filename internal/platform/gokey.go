package platform

import (
	"io/fs"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"fabric-builder-docker/internal/content"
)

// Builds share one cache, in which the go command finds a compiled package by what it hashes: the package's Go files,
// what they embed and, for assembly and cgo, those files of its own directory that no build constraint leaves out. It
// hashes nothing that these include from other directories or that a constraint hides, no pkg-config file, and none of
// the libraries that cgo looks into. So a package with assembly or cgo is compiled under a key: a digest of all files of
// the upload that are not Go. The key is the value of the compiler's flag -I, which the go command hashes like any flag
// and which has no effect beside the list of imports that it hands to the compiler.
//
// A package from the module cache needs no key. Its files follow from the path and version of its module, which are
// hashed, and the system's files from the builder image, to which the cache belongs.

// goCompiled are the extensions of files whose includes the go command does not hash. A Go file that uses cgo is told by
// its import of "C".
var goCompiled = []string{".s", ".S", ".sx", ".swig", ".swigcxx"}

// allGo is the pattern for everything but the standard library.
const allGo = "all"

// maxGoPatterns bounds the go command's arguments.
const maxGoPatterns = 200

// goKey returns the key and the go command's patterns for what is compiled under it: directories with assembly or cgo,
// relative to layout.dir, or allGo. Both are empty where the go command hashes everything.
//
// It is allGo where a module's path and version do not say which files it has, or where a directory has another name
// than the upload gives it: with a replacement or a workspace.
func (r request) goKey(layout goLayout) (key string, patterns []string) {
	upload := r.content.Without(goLeftOut...)
	var dirs []string
	all := layout.mode == "readonly" && r.replaces(layout)
	for _, f := range upload.Files {
		if !f.Dir && (f.MentionsC || slices.Contains(goCompiled, path.Ext(f.Path))) {
			dirs = append(dirs, path.Dir(f.Path))
		}
		all = all || path.Base(f.Path) == "go.work"
	}
	for _, dir := range sortedSet(dirs) {
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
	digest := content.NewDigest()
	digest.AddFiles("not Go", upload.Only(func(f content.File) bool { return !f.Dir && path.Ext(f.Path) != ".go" }).Files)
	return digest.Sum(), patterns
}

// replaces says whether the module may replace another one.
func (r request) replaces(layout goLayout) bool {
	text, err := fs.ReadFile(r.content.FS, r.at(path.Join(layout.dir, "go.mod")))
	return err != nil || strings.Contains(string(text), "replace")
}

// plainDirs are directories that a pattern of the go command can name.
var plainDirs = regexp.MustCompile(`^[a-zA-Z0-9/._~+@-]+$`)

// goPattern is the pattern for the package in one directory of the upload, whatever its import path; false where there
// is no such pattern.
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

func sortedSet(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}
