// SPDX-License-Identifier: Apache-2.0

package platform_test

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"

	"fabric-builder-docker/internal/metadata"
)

// These versions are chosen when a package is built for the first time, and the log says so.
func TestWhichPackagesLeaveVersionsOpen(t *testing.T) {
	const dependencies = `{"dependencies":{"a":"^1"}}`
	maven := func(text string) fstest.MapFS {
		return fstest.MapFS{"src/pom.xml": {Data: []byte(`<?xml version="1.0" encoding="ISO-8859-1"?><project xmlns="x">
			<version>1.0-SNAPSHOT</version><properties><revision>2-SNAPSHOT</revision><a>1</a></properties>` + text + `</project>`)}}
	}
	gradle := func(text string) fstest.MapFS {
		return fstest.MapFS{"src/build.gradle": {Data: []byte("plugins {\n    id 'java'\n}\nversion '0.0.1-SNAPSHOT'\nversion = \"1.+\"\n// implementation 'a:b:1.+'\n" + text)}}
	}
	noLock := func(manifest string, more ...string) fstest.MapFS {
		return files(append([]string{"package.json", manifest, "package-lock.json", ""}, more...)...)
	}
	tests := map[string]struct {
		language string
		files    fstest.MapFS
		want     string
	}{
		"node":                       {"node", noLock(dependencies), "there is no lock file"},
		"a lock file":                {"node", files("package.json", dependencies), ""},
		"a shrinkwrap file":          {"node", noLock(dependencies, "npm-shrinkwrap.json", lock), ""},
		"dependencies in it":         {"node", noLock(dependencies, "node_modules/a/x", "x"), ""},
		"some of them":               {"node", noLock(dependencies, "node_modules/b/x", "x"), "there is no lock file"},
		"no dependencies":            {"node", noLock(`{"name":"x"}`), ""},
		"maven":                      {"java", maven(`<dependencies><dependency><version>1.0</version></dependency></dependencies>`), ""},
		"a range":                    {"java", maven(`<dependencies><dependency><version> [1.0,2.0) </version></dependency></dependencies>`), "src/pom.xml asks for version [1.0,2.0)"},
		"an exact range":             {"java", maven(`<dependencies><dependency><version>[1.0]</version></dependency></dependencies>`), ""},
		"a snapshot version":         {"java", maven(`<dependencies><dependency><version>2.5-SNAPSHOT</version></dependency></dependencies>`), "src/pom.xml asks for version 2.5-SNAPSHOT"},
		"the latest plugin":          {"java", maven(`<build><plugins><plugin><version>LATEST</version></plugin></plugins></build>`), "src/pom.xml asks for version LATEST"},
		"a parent":                   {"java", maven(`<parent><version>1-SNAPSHOT</version></parent>`), "src/pom.xml asks for version 1-SNAPSHOT"},
		"a property":                 {"java", maven(`<properties><shim.version>2-SNAPSHOT</shim.version></properties>`), "src/pom.xml asks for version 2-SNAPSHOT"},
		"broken XML":                 {"java", maven(`<a`), ""},
		"gradle":                     {"java", gradle("implementation 'org.h:shim:2.5.0'\nid 'x' version '1.0'\n"), ""},
		"a prefix":                   {"java", gradle("implementation 'org.h:shim:2.+'\n"), "src/build.gradle asks for version 2.+"},
		"a prefix in double quotes":  {"java", gradle("implementation(\"org.h:shim:2.+\")\n"), "src/build.gradle asks for version 2.+"},
		"named":                      {"java", gradle("implementation group: 'g', name: 'n', version: 'latest.release'\n"), "src/build.gradle asks for version latest.release"},
		"a plugin":                   {"java", gradle("    id 'x' version '1.+'\n"), "src/build.gradle asks for version 1.+"},
		"with a classifier":          {"java", gradle("implementation 'org.h:shim:2.5-SNAPSHOT:all@jar'\n"), "src/build.gradle asks for version 2.5-SNAPSHOT"},
		"locked":                     {"java", merged(gradle("implementation 'org.h:shim:2.+'\n"), "src/gradle.lockfile", "x"), ""},
		"a catalogue":                {"java", merged(gradle(""), "src/gradle/libs.versions.toml", "[versions]\nshim = \"2.+\"\n"), "src/gradle/libs.versions.toml asks for version 2.+"},
		"what is outside the code":   {"java", merged(gradle(""), "other/build.gradle", "implementation 'org.h:shim:2.+'"), ""},
		"a build file of a project":  {"java", merged(gradle(""), "src/app/build.gradle.kts", "implementation(\"org.h:shim:2.+\")"), "src/app/build.gradle.kts asks for version 2.+"},
		"golang pins what it needs":  {"golang", source("src/go.mod"), ""},
		"a Dockerfile is not parsed": {"docker", source("src/Dockerfile"), ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, plan(t, metadata.Package{Type: test.language}, test.files).Unpinned)
		})
	}
}

func merged(all fstest.MapFS, name, text string) fstest.MapFS {
	all[name] = &fstest.MapFile{Data: []byte(text)}
	return all
}
