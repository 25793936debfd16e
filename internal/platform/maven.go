// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"fabric-builder-docker/internal/metadata"
)

// mavenFiles is what the files say that tell Maven what to do, among those that a snapshot is made from. It decides what a build
// that only downloads can leave out. Where they do not tell all, as with a parent elsewhere, the snapshot may lack some files,
// which each build then downloads itself.
type mavenFiles struct {
	projects  bool // there is a pom.xml, or a file that can be a parent of one
	compiles  bool // the compiler downloads something, or what follows needs classes
	shades    bool // the shade plugin is used
	resolves  bool // it downloads something itself, for jars of sources or tests
	inOptions bool // .mvn/maven.config has options that may build modules side by side, or go on after one has failed
}

// mavenFiles reads one file at a time: a package may hold more of them than fit into memory.
func (r request) mavenFiles(names []string) mavenFiles {
	var files mavenFiles
	for _, name := range names {
		isOptions := strings.HasSuffix(name, ".mvn/maven.config")
		if !isOptions && path.Ext(name) != ".xml" {
			continue
		}
		text, err := metadata.ReadFile(r.content.FS, name)
		switch {
		case err != nil: // a directory, say
		case isOptions:
			files.inOptions = files.inOptions || slices.ContainsFunc(strings.Fields(string(text)), func(option string) bool {
				return !strings.HasPrefix(option, "-D") && !strings.HasPrefix(option, "-P")
			})
		default:
			files.add(text)
		}
	}
	return files
}

func (f *mavenFiles) add(project []byte) {
	mentions := func(words ...string) bool {
		return slices.ContainsFunc(words, func(word string) bool { return bytes.Contains(project, []byte(word)) })
	}
	f.projects = true
	f.compiles = f.compiles || mentions("annotationProcessorPaths", "scala-maven-plugin", "project.build.outputDirectory", "target/classes", "skipIfEmpty")
	f.shades = f.shades || mentions("maven-shade-plugin")
	f.resolves = f.resolves || mentions("createSourcesJar", "shadeTestJar")
}

// skipCompiler reports whether a build can do without the compiler, whose start takes more than half a second. Maven has
// downloaded by then all that it compiles with, except for annotation processors that are listed as such. The plugin for Scala
// would skip its own compiler, too, and some plugins fail if there are no classes.
func (f mavenFiles) skipCompiler() bool { return f.projects && !f.compiles }

// endAtShade reports whether all may be downloaded once the shade plugin of the last module merges jars, which takes seconds.
func (f mavenFiles) endAtShade() bool { return f.shades && !f.resolves && !f.inOptions }
