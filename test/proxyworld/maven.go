// SPDX-License-Identifier: Apache-2.0

package proxyworld

import (
	"crypto/md5"
	"crypto/sha1"
	"fmt"
	"net/http"
	"path"
	"strings"
)

// MavenArtifact is a version of an artifact whose jar has files and depends on nothing.
type MavenArtifact struct {
	Group, ID, Version string
	Files              map[string]string
}

// MavenArtifacts is a Maven repository.
type MavenArtifacts struct {
	Artifacts []MavenArtifact
	// Rest answers requests for other artifacts. Default: there are none.
	Rest http.Handler
}

func (m MavenArtifacts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, sum := r.URL.Path, func(body []byte) []byte { return body }
	switch path.Ext(name) {
	case ".sha1":
		sum = func(body []byte) []byte { return fmt.Appendf(nil, "%x", sha1.Sum(body)) }
	case ".md5":
		sum = func(body []byte) []byte { return fmt.Appendf(nil, "%x", md5.Sum(body)) }
	}
	for _, artifact := range m.Artifacts {
		for file, body := range artifact.files() {
			if name == file || name == file+".sha1" || name == file+".md5" {
				send(w, "application/octet-stream", sum(body))
				return
			}
		}
	}
	rest(m.Rest).ServeHTTP(w, r)
}

func (a MavenArtifact) files() map[string][]byte {
	dir := "/" + strings.ReplaceAll(a.Group, ".", "/") + "/" + a.ID
	base := fmt.Sprintf("%s/%s/%s-%[2]s", dir, a.Version, a.ID)
	coordinates := fmt.Sprintf("<groupId>%s</groupId><artifactId>%s</artifactId>", a.Group, a.ID)
	return map[string][]byte{
		base + ".jar": zipped(a.Files),
		base + ".pom": fmt.Appendf(nil, "<project><modelVersion>4.0.0</modelVersion>%s<version>%s</version></project>\n", coordinates, a.Version),
		dir + "/maven-metadata.xml": fmt.Appendf(nil, "<metadata>%s<versioning><latest>%s</latest><release>%[2]s</release>"+
			"<versions><version>%[2]s</version></versions></versioning></metadata>\n", coordinates, a.Version),
	}
}
