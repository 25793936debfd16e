// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"bytes"
	"encoding/xml"
	"path"

	"fabric-builder-docker/internal/metadata"
)

// mavenProjects is what is known of the pom.xml files of a package: enough to leave out of a build whatever comes after its
// downloads.
type mavenProjects struct {
	processors bool // one lists annotation processors
	afterShade bool // in one, something may run after the shade plugin
	unreadable bool // one cannot be read
}

// mavenProjects reads the pom.xml files among the files that a snapshot is made from.
func (r request) mavenProjects(files []string) mavenProjects {
	var all mavenProjects
	for _, name := range files {
		if path.Base(name) != "pom.xml" {
			continue
		}
		text, err := metadata.ReadFile(r.content.FS, name)
		var project mavenProject
		if err != nil || xml.Unmarshal(text, &project) != nil {
			all.unreadable = true
			continue
		}
		all.processors = all.processors || bytes.Contains(text, []byte("annotationProcessorPaths"))
		all.afterShade = all.afterShade || project.afterShade()
	}
	return all
}

// skipsCompiler reports whether a build that only downloads can do without the compiler, whose start takes more than half a
// second. Maven has downloaded all that it compiles with by then, except for annotation processors that are listed as such.
func (p mavenProjects) skipsCompiler() bool { return !p.processors && !p.unreadable }

// endAtShade reports whether nothing is downloaded any more once the shade plugin of the last module merges jars, which takes
// seconds.
func (p mavenProjects) endAtShade() bool { return !p.afterShade && !p.unreadable }

// mavenProject is a pom.xml: https://maven.apache.org/pom.html. Plugins run in the order of the file.
type mavenProject struct {
	Plugins  []mavenPlugin `xml:"build>plugins>plugin"`
	Profiles []struct {
		Plugins []mavenPlugin `xml:"build>plugins>plugin"`
	} `xml:"profiles>profile"`
}

type mavenPlugin struct {
	Name       string     `xml:"artifactId"`
	Executions []struct{} `xml:"executions>execution"`
}

func (p mavenProject) afterShade() bool {
	plugins := p.Plugins
	for _, profile := range p.Profiles {
		plugins = append(plugins, profile.Plugins...)
	}
	shades := false
	for _, plugin := range plugins {
		switch {
		case plugin.Name == "maven-shade-plugin":
			shades = true
		case shades && len(plugin.Executions) > 0:
			return true
		}
	}
	return false
}
