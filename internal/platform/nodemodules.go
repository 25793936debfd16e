// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strings"

	"fabric-builder-docker/internal/metadata"
)

// vendoring says how much of its dependencies a package contains in node_modules.
type vendoring string

const (
	noModules   vendoring = "none" // no package, but maybe a cache or a lock file
	someModules vendoring = "some" // not all dependencies in package.json
	mostModules vendoring = "most" // these, but not all that they need themselves, or not all workspaces
	allModules  vendoring = "all"
)

// vendored returns how much of its dependencies the package contains, and the first one that is missing if it contains only
// a part of them. It looks for dependencies where node would, but does not compare versions.
func (r request) vendored(m npmManifest) (contained vendoring, lacking string) {
	tree := r.moduleTree()
	if !tree.hasPackages() {
		return noModules, ""
	}
	pending := []module{}
	for _, name := range m.Required {
		dir, ok := tree.find(".", name)
		if !ok {
			return someModules, name
		}
		pending = append(pending, module{name, dir})
	}
	for _, dir := range tree.members(m.Members) {
		name := tree.read(dir).Name
		if _, ok := tree.find(".", name); name != "" && !ok {
			return mostModules, name
		}
		pending = append(pending, module{name, dir})
	}
	if lacking = tree.findMissing(pending); lacking != "" {
		return mostModules, lacking
	}
	return allModules, ""
}

// uselessModules returns what is not uploaded of a node_modules without packages: npm would remove it, or take it for its own.
func (r request) uselessModules(contained vendoring) []string {
	if contained != noModules || !r.isDir("src/node_modules") {
		return nil
	}
	return []string{"/" + r.sourcePath("src/node_modules")}
}

// moduleTree is the code of a package, as node sees it when it looks for modules. All paths are relative to the code.
type moduleTree struct {
	request request
	dirs    map[string]bool // directories that contain a file, at any depth
}

// module is a package in a moduleTree.
type module struct{ name, dir string }

func (r request) moduleTree() moduleTree {
	tree := moduleTree{r, map[string]bool{}}
	for _, f := range r.content.Files {
		name := r.inCode(f.Path)
		if name == "" || f.Dir {
			continue
		}
		for dir := path.Dir(name); dir != "." && !tree.dirs[dir]; dir = path.Dir(dir) {
			tree.dirs[dir] = true
		}
	}
	return tree
}

// hasPackages reports whether node_modules contains a package. Names that begin with a dot are those of npm's and other tools'
// own files.
func (t moduleTree) hasPackages() bool {
	for dir := range t.dirs {
		name, inside := strings.CutPrefix(dir, "node_modules/")
		if inside && name[0] != '.' && (name[0] != '@' || strings.Contains(name, "/")) {
			return true
		}
	}
	return false
}

// find returns the directory in which node finds a package that is required in dir.
func (t moduleTree) find(dir, name string) (found string, ok bool) {
	for {
		if found = path.Join(dir, "node_modules", name); path.Base(dir) != "node_modules" && t.dirs[found] {
			return found, true
		}
		if dir == "." {
			return "", false
		}
		dir = path.Dir(dir)
	}
}

// members returns the directories of workspaces.
func (t moduleTree) members(patterns []string) []string {
	var found []string
	for _, dir := range slices.Sorted(maps.Keys(t.dirs)) {
		isMember := slices.ContainsFunc(patterns, func(pattern string) bool { return matchesWorkspace(pattern, dir) })
		if isMember && t.request.isFile("src/"+dir+"/package.json") {
			found = append(found, dir)
		}
	}
	return found
}

// matchesWorkspace reports whether a directory is a workspace if it has a package.json. Of npm's patterns, it knows those of
// path.Match and /** at the end.
func matchesWorkspace(pattern, dir string) bool {
	if above, deep := strings.CutSuffix(pattern, "/**"); deep {
		return strings.HasPrefix(dir, path.Clean(above)+"/") && !strings.Contains(dir, "node_modules/")
	}
	matches, _ := path.Match(path.Clean(pattern), dir)
	return matches
}

// modulePackage holds the fields of the package.json of a dependency that say what it needs itself.
type modulePackage struct {
	Name                               string
	Dependencies, OptionalDependencies map[string]string
}

// read returns the package.json in a directory. One that is missing or invalid says nothing: npm and node get by without it.
func (t moduleTree) read(dir string) modulePackage {
	var found modulePackage
	text, err := metadata.ReadFile(t.request.content.FS, t.request.sourcePath("src/"+dir+"/package.json"))
	if err != nil || json.Unmarshal(text, &found) != nil {
		return modulePackage{}
	}
	return found
}

// findMissing returns a dependency of the given packages, at any depth, that is not there.
func (t moduleTree) findMissing(pending []module) string {
	for seen := map[string]bool{}; len(pending) > 0; {
		next := pending[0]
		pending = pending[1:]
		if seen[next.dir] {
			continue
		}
		seen[next.dir] = true
		manifest := t.read(next.dir)
		for _, name := range required(manifest.Dependencies, manifest.OptionalDependencies) {
			dir, ok := t.find(next.dir, name)
			if !ok {
				return name + ", which " + next.name + " needs"
			}
			pending = append(pending, module{name, dir})
		}
	}
	return ""
}
