// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"fabric-builder-docker/internal/metadata"
)

// mavenFiles holds the contents of the files that tell Maven what to do, among those that a snapshot is made from. They decide what
// a build that only downloads can leave out. Where they do not tell all, as with a parent elsewhere, the snapshot may lack some
// files, which each build then downloads itself.
type mavenFiles struct {
	projects [][]byte // pom.xml, and all that can be a parent of one
	options  []byte   // of Maven's command: .mvn/maven.config
}

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
			files.options = append(append(files.options, text...), '\n')
		default:
			files.projects = append(files.projects, text)
		}
	}
	return files
}

func (f mavenFiles) mention(words ...string) bool {
	return slices.ContainsFunc(f.projects, func(text []byte) bool {
		return slices.ContainsFunc(words, func(word string) bool { return bytes.Contains(text, []byte(word)) })
	})
}

// skipCompiler reports whether a build can do without the compiler, whose start takes more than half a second. Maven has
// downloaded by then all that it compiles with, except for annotation processors that are listed as such. The plugin for Scala
// would skip its own compiler, too, and some plugins fail if there are no classes.
func (f mavenFiles) skipCompiler() bool {
	return len(f.projects) > 0 &&
		!f.mention("annotationProcessorPaths", "scala-maven-plugin", "project.build.outputDirectory", "target/classes", "skipIfEmpty")
}

// endAtShade reports whether all may be downloaded once the shade plugin of the last module merges jars, which takes seconds. It
// downloads more itself for jars of sources and tests. Options of Maven's may build modules side by side, or go on after one has
// failed.
func (f mavenFiles) endAtShade() bool {
	return f.mention("maven-shade-plugin") && !f.mention("createSourcesJar", "shadeTestJar") &&
		!slices.ContainsFunc(strings.Fields(string(f.options)), func(option string) bool {
			return !strings.HasPrefix(option, "-D") && !strings.HasPrefix(option, "-P")
		})
}
