// SPDX-License-Identifier: Apache-2.0

package platform_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

func TestJavaPlan(t *testing.T) {
	settings := config.Defaults()
	settings.Chaincode.Java.Runtime = "example/javaenv:1"
	pkg := metadata.Package{Type: "java", Label: "basic_1.1", Path: "ignored"}
	got, err := planFor(pkg, source("src/pom.xml", "src/mvnw"), settings, []string{"GOFLAGS=-x", "HTTPS_PROXY=http://proxy:3128"})
	require.NoError(t, err)
	require.Len(t, got.Command, 3)
	assert.Equal(t, []string{"/bin/sh", "-c"}, got.Command[:2])
	got.Command = nil
	assert.Equal(t, platform.Plan{
		Type:          "java",
		Builder:       platform.Image{Name: "example/javaenv:1", Setting: "chaincode.java.runtime"},
		Runtime:       platform.Image{Name: "example/javaenv:1", Setting: "chaincode.java.runtime"},
		Environment:   []string{"HTTPS_PROXY=http://proxy:3128", "https_proxy=http://proxy:3128"},
		Given:         platform.Given{Variables: got.Given.Variables, Way: got.Given.Way}, // see TestJavaProxies
		DigestInputs:  []string{"builder.snapshots=true"},
		Caches:        []platform.Cache{{Path: platform.CacheDir}},
		Executables:   []string{"src/gradlew", "src/mvnw"},
		Target:        "/root/chaincode-java/chaincode",
		FabricVersion: "3.1",

		NoSnapshotReason: "the package has no code in src/SET/java or a similar directory",
	}, got)
}

// The script runs the image's build.sh. It sets options for Maven's JVM only if nothing else does, because a JVM accepts
// only one choice of garbage collector.
func TestJavaBuildScript(t *testing.T) { eachShell(t, testJavaBuildScript) }

func testJavaBuildScript(t *testing.T) {
	const ours = "-XX:+IgnoreUnrecognizedVMOptions -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
	for name, test := range map[string]struct{ before, want string }{
		"none":                       {"", ours},
		"Maven's":                    {"export MAVEN_OPTS=-Xmx1g", "-Xmx1g"},
		"for all JVMs":               {"JAVA_TOOL_OPTIONS=-XX:+UseG1GC", ""},
		"for all JVMs since 9":       {"JDK_JAVA_OPTIONS=-XX:+UseG1GC", ""},
		"for all JVMs, undocumented": {"_JAVA_OPTIONS=-XX:+UseG1GC", ""},
		"the package's":              {"mkdir -p /chaincode/input/src/.mvn; echo -XX:+UseG1GC >/chaincode/input/src/.mvn/jvm.config", ""},
		"the package's, at its root": {"mkdir -p /chaincode/input/.mvn; echo -XX:+UseG1GC >/chaincode/input/.mvn/jvm.config", ""},
		"the user's":                 {`export HOME=$PWD; echo 'MAVEN_OPTS="$MAVEN_OPTS -XX:+UseG1GC"' >.mavenrc`, ""},
		"the user's, but for others": {`export HOME=$PWD; echo '# no MAVEN_OPTS here' >.mavenrc`, ours},
		"the image's":                {"mkdir -p .mvn; echo -XX:+UseG1GC >.mvn/jvm.config", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			b.file("/chaincode/cache/x", "", 0o644)
			b.file("/build.sh", "#!/bin/sh\necho \"$MAVEN_OPTS\" >&2\nexit 255\n", 0o755)
			command := plan(t, metadata.Package{Type: "java"}, source("src/pom.xml")).Command
			command[2] = test.before + "\n" + command[2]
			status, stderr, _ := b.run(command)
			assert.Equal(t, 255, status)
			assert.Equal(t, test.want+"\n", stderr)
		})
	}
}

// A build runs the package's code, so builds share nothing that they can write to.
func TestJavaHasNoCaches(t *testing.T) {
	for _, scope := range []string{config.CacheEngine, config.CacheLabel, config.CacheOff} {
		settings := config.Defaults()
		settings.Builder.Cache.Scope = scope
		got, err := planFor(metadata.Package{Type: "java", Label: "basic_1.0"}, source("src/pom.xml"), settings, nil)
		require.NoError(t, err)
		for _, cache := range got.Caches {
			assert.Empty(t, cache.Name, "a directory of the container, no volume")
		}
	}
}

// Java projects have a src/ as well. Only the manifests tell whether src/ belongs to the package or to the code.
func TestWhereTheCodeOfAHandMadePackageStands(t *testing.T) {
	tests := map[string]struct {
		typ    string
		files  []string
		atRoot bool
	}{
		"java, as the CLI packs it":      {"java", []string{"src/pom.xml", "src/src/main/java/X.java"}, false},
		"java, Maven at the root":        {"java", []string{"pom.xml", "src/main/java/X.java"}, true},
		"java, Gradle at the root":       {"java", []string{"build.gradle", "settings.gradle", "src/main/java/X.java"}, true},
		"java, Kotlin at the root":       {"java", []string{"build.gradle.kts", "src/main/java/X.java"}, true},
		"java, jars in src":              {"java", []string{"src/a.jar"}, false},
		"java, jars at the root":         {"java", []string{"a.jar"}, true},
		"java, both":                     {"java", []string{"src/pom.xml", "pom.xml"}, false},
		"java, nothing to build from":    {"java", []string{"src/X.java"}, false},
		"node, as the CLI packs it":      {"node", []string{"src/package.json"}, false},
		"node, at the root":              {"node", []string{"package.json", "index.js"}, true},
		"node, src is part of the code":  {"node", []string{"package.json", "src/index.ts"}, true},
		"node, with META-INF":            {"node", []string{"package.json", "META-INF/x.json"}, true},
		"golang, as the CLI packs it":    {"golang", []string{"src/go.mod"}, false},
		"golang, go.mod beside a GOPATH": {"golang", []string{"src/go.mod", "go.mod"}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			files := source(test.files...)
			for _, name := range []string{"package.json", "src/package.json"} {
				if file := files[name]; file != nil {
					file.Data = []byte("{}")
				}
			}
			assert.Equal(t, test.atRoot, plan(t, metadata.Package{Type: test.typ}, files).CodeAtRoot)
		})
	}
}
