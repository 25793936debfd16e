// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"

	"fabric-builder-docker/internal/metadata"
)

// What a package does not pin is chosen by its first build on an engine and stays, since all later ones find the image. What
// follows is only for a line in the log: it need not find every way to leave a version open.

// unpinnedNode returns why npm chooses versions when it installs the dependencies of a package, or an empty string.
func (r request) unpinnedNode(m npmManifest, contained vendoring) string {
	locked := r.isFile("src/"+npmLocks[0]) || r.isFile("src/"+npmLocks[1])
	if locked || contained == allModules || len(m.Dependencies) == 0 {
		return ""
	}
	return noLockFile
}

// openVersion matches a version that may mean another one tomorrow: a range, a prefix, the latest one, or a snapshot version.
var openVersion = regexp.MustCompile(`^[\[(\]].*,|\+$|^(?i:latest)(\.|$)|^RELEASE$|-SNAPSHOT$`)

// gradleVersion matches a version in a build file or a catalogue of Gradle: group:name:version, and version beside a name or a
// plugin. The version of the project itself stands alone on its line.
var gradleVersion = regexp.MustCompile(`["'][\w.-]+:[\w.-]+:([^"':@]+)[@:"']|\S.*[\s,({]version\s*[:=]?\s*\(?["']([^"']+)["']`)

// catalogVersion matches a version in gradle/libs.versions.toml.
var catalogVersion = regexp.MustCompile(`=\s*["']([^"']+)["']\s*$`)

// unpinnedJava returns the first open version in the build files of a package, or an empty string.
func (r request) unpinnedJava() string {
	if r.isFile("src/gradle.lockfile") {
		return ""
	}
	for _, f := range r.content.Files {
		var find func(text []byte) string
		switch base := path.Base(f.Path); {
		case f.Dir || r.inCode(f.Path) == "":
			continue
		case base == "pom.xml":
			find = openMavenVersion
		case base == "build.gradle" || base == "build.gradle.kts":
			find = func(text []byte) string { return openGradleVersion(gradleVersion, text) }
		case strings.HasSuffix(base, ".versions.toml"):
			find = func(text []byte) string { return openGradleVersion(catalogVersion, text) }
		default:
			continue
		}
		text, err := metadata.ReadFile(r.content.FS, f.Path)
		if err != nil {
			continue
		}
		if version := find(text); version != "" {
			return fmt.Sprintf("%s asks for version %s", f.Path, version)
		}
	}
	return ""
}

func openGradleVersion(pattern *regexp.Regexp, text []byte) string {
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "//") || strings.HasPrefix(line, "#") {
			continue
		}
		for _, match := range pattern.FindAllStringSubmatch(line, -1) {
			for _, version := range match[1:] {
				if openVersion.MatchString(version) {
					return version
				}
			}
		}
	}
	return ""
}

// openMavenVersion looks at the versions of dependencies, plugins and parents, and at properties, which may be such versions. The
// version of the project itself is not one.
func openMavenVersion(text []byte) string {
	decoder := xml.NewDecoder(bytes.NewReader(text))
	decoder.Strict = false
	decoder.CharsetReader = func(_ string, input io.Reader) (io.Reader, error) { return input, nil }
	var above []string
	for {
		token, err := decoder.Token()
		if err != nil { // Maven reports what is wrong
			return ""
		}
		switch token := token.(type) {
		case xml.StartElement:
			above = append(above, token.Name.Local)
		case xml.EndElement:
			above = above[:max(len(above)-1, 0)]
		case xml.CharData:
			if version := strings.TrimSpace(string(token)); isMavenVersion(above) && openVersion.MatchString(version) {
				return version
			}
		}
	}
}

// isMavenVersion reports whether the text of an element is the version of something else than the project.
func isMavenVersion(path []string) bool {
	n := len(path)
	if n < 3 {
		return false
	}
	return path[n-1] == "version" && path[n-2] != "project" || path[n-2] == "properties" && path[n-1] != "revision"
}
