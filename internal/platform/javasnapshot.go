// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"fabric-builder-docker/internal/metadata"
)

// javaBuildFiles lists the files that make a directory a project of Maven or Gradle.
var javaBuildFiles = []string{"build.gradle", "build.gradle.kts", "pom.xml"}

// javaSourceRoots lists the directories of a source set, src/SET/NAME, whose files are code, with the placeholder that stands
// for the code while the dependencies are downloaded. Without any source, Gradle downloads nothing and reports success.
var javaSourceRoots = map[string]Placeholder{
	"java":      {"FabricBuilderPlaceholder.java", "class FabricBuilderPlaceholder {\n}\n"},
	"kotlin":    {"FabricBuilderPlaceholderKt.kt", "class FabricBuilderPlaceholderKt\n"},
	"groovy":    {"FabricBuilderPlaceholderGroovy.groovy", "class FabricBuilderPlaceholderGroovy {\n}\n"},
	"scala":     {"FabricBuilderPlaceholderScala.scala", "class FabricBuilderPlaceholderScala\n"},
	"resources": {}, "proto": {}, "webapp": {},
}

// includedBuild matches the directory of a build that settings.gradle or settings.gradle.kts includes.
var includedBuild = regexp.MustCompile(`\bincludeBuild\s*\(?\s*["']([^"']+)["']`)

// javaSnapshot returns the snapshot of a package's dependencies, or the reason why they must be downloaded together with the
// code. What is left out decides how well the snapshot serves, never whether it is right: what the build without the code
// does follows from the other files, and those are part of the snapshot's digest.
func (r request) javaSnapshot() (snapshot *Snapshot, noSnapshotReason string) {
	switch {
	case !r.settings.Builder.Snapshots:
		return nil, "builder.snapshots is false"
	case !r.containsAny("src", javaBuildFiles...) && !r.containsAny(".", javaBuildFiles...):
		return nil, "there is neither a pom.xml nor a Gradle build file"
	}
	tree := r.javaTree()
	snapshot = &Snapshot{
		Environment: slices.Sorted(slices.Values(r.buildEnvironment().without(proxies...))),
	}
	leftOut := false
	for _, f := range r.content.Files {
		root := tree.sourceRoot(r.inCode(f.Path))
		switch {
		case root == "" || !f.Dir && path.Ext(f.Path) == ".jar": // jars are dependencies, wherever they are
			snapshot.Files = append(snapshot.Files, f.Path)
		case !f.Dir:
			leftOut = true
		}
	}
	if !leftOut {
		return nil, "the package has no code in src/SET/java or a similar directory"
	}
	snapshot.Command = []string{"/bin/sh", "-c", javaResolve(r.mavenFiles(snapshot.Files))}
	for _, placeholder := range tree.placeholders() {
		placeholder.Path = r.sourcePath("src/" + placeholder.Path)
		snapshot.Placeholders = append(snapshot.Placeholders, placeholder)
	}
	return snapshot, ""
}

// inCode returns a path in SOURCE_DIR relative to the code, or an empty string if it is not part of that.
func (r request) inCode(name string) string {
	if r.atRoot {
		return name
	}
	rest, _ := strings.CutPrefix(name, "src/")
	if rest == name {
		return ""
	}
	return rest
}

// javaTree says what the directories of a package's code are. All paths are relative to the code.
type javaTree struct {
	dirs     map[string]bool
	projects map[string]bool // directories with a build file; true if it is one of Gradle
	whole    []string        // directories of builds whose own code the build needs
}

func (r request) javaTree() javaTree {
	tree := javaTree{dirs: map[string]bool{}, projects: map[string]bool{}}
	for _, f := range r.content.Files {
		name := r.inCode(f.Path)
		dir, base := path.Split(name)
		dir = path.Clean(dir)
		switch {
		case name == "":
		case f.Dir:
			tree.dirs[name] = true
			if base == "buildSrc" {
				tree.whole = append(tree.whole, name)
			}
		case slices.Contains(javaBuildFiles, base):
			tree.projects[dir] = tree.projects[dir] || base != "pom.xml"
		case base == "settings.gradle" || base == "settings.gradle.kts":
			tree.whole = append(tree.whole, r.includedBuilds(f.Path, dir)...)
		}
	}
	return tree
}

// includedBuilds returns the directories of the builds that a settings file in dir includes. One that is not named by a plain
// string is not found: its code is left out like any other, and the build without the code ends early.
func (r request) includedBuilds(settings, dir string) []string {
	text, err := metadata.ReadFile(r.content.FS, settings)
	if err != nil {
		return nil
	}
	var dirs []string
	for _, match := range includedBuild.FindAllSubmatch(text, -1) {
		if included := path.Join(dir, string(match[1])); included != "." && !path.IsAbs(string(match[1])) {
			dirs = append(dirs, included)
		}
	}
	return dirs
}

// sourceRoot returns the source root that a file or directory is below, or an empty string if it is below none. A directory
// that has a build file is a project, even if it is called src/main/java.
func (t javaTree) sourceRoot(name string) string {
	if t.isWhole(name) {
		return ""
	}
	elements := strings.Split(name, "/")
	for i := 0; i+3 < len(elements); i++ {
		if elements[i] != "src" {
			continue
		}
		if _, ok := javaSourceRoots[elements[i+2]]; !ok {
			continue
		}
		root := strings.Join(elements[:i+3], "/")
		if _, isProject := t.projects[root]; !isProject {
			return root
		}
	}
	return ""
}

func (t javaTree) isWhole(name string) bool {
	return slices.ContainsFunc(t.whole, func(dir string) bool { return name == dir || strings.HasPrefix(name, dir+"/") })
}

// placeholders returns the files that stand for the code: one in each source root, and one for each project of Gradle.
func (t javaTree) placeholders() []Placeholder {
	roots := map[string]bool{}
	for dir := range t.dirs {
		if root := t.sourceRoot(dir + "/x"); root == dir {
			roots[root] = true
		}
	}
	for project, gradle := range t.projects {
		if gradle && !t.isWhole(project) && t.sourceRoot(project) == "" {
			roots[path.Join(project, "src/main/java")] = true
		}
	}
	var all []Placeholder
	for root := range roots {
		if placeholder := javaSourceRoots[path.Base(root)]; placeholder.Path != "" {
			all = append(all, Placeholder{path.Join(root, placeholder.Path), placeholder.Text})
		}
	}
	slices.SortFunc(all, func(a, b Placeholder) int { return strings.Compare(a.Path, b.Path) })
	return all
}
