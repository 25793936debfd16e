// SPDX-License-Identifier: Apache-2.0

package platform_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/config"
	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/internal/platform"
)

// javaSource is a package. A name that ends in a slash is a directory, one with "=" has the text that follows it.
func javaSource(names ...string) fstest.MapFS {
	files := fstest.MapFS{}
	for _, name := range names {
		name, text, _ := strings.Cut(name, "=")
		if dir, ok := strings.CutSuffix(name, "/"); ok {
			files[dir] = &fstest.MapFile{Mode: os.ModeDir | 0o755}
			continue
		}
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return files
}

func TestWhatAJavaSnapshotIsMadeFrom(t *testing.T) {
	const placeholder = "FabricBuilderPlaceholder.java"
	tests := map[string]struct {
		files   []string
		leftOut []string // files of the package; directories below a source root are left out with them
		added   []string
	}{
		"one project": {
			[]string{"src/pom.xml", "src/checkstyle.xml", "src/VERSION", "src/mvnw", "src/.mvn/maven.config", "src/lib/local.jar", "outside.txt",
				"src/src/main/java/org/example/KV.java", "src/src/main/resources/log.xml", "src/src/test/java/KVTest.java", "src/src/main/assembly/jar.xml"},
			[]string{"src/src/main/java/org/example/KV.java", "src/src/main/resources/log.xml", "src/src/test/java/KVTest.java"},
			[]string{"src/src/main/java/" + placeholder, "src/src/test/java/" + placeholder},
		},
		"at the root of the package": {
			[]string{"pom.xml", "lib/x.jar", "src/main/java/KV.java", "src/main/proto/kv.proto", "src/main/webapp/index.html"},
			[]string{"src/main/java/KV.java", "src/main/proto/kv.proto", "src/main/webapp/index.html"},
			[]string{"src/main/java/" + placeholder},
		},
		"several modules": {
			[]string{"src/pom.xml", "src/api/pom.xml", "src/api/src/main/java/A.java", "src/app/pom.xml", "src/app/src/main/java/B.java", "src/app/src/main/resources/x"},
			[]string{"src/api/src/main/java/A.java", "src/app/src/main/java/B.java", "src/app/src/main/resources/x"},
			[]string{"src/api/src/main/java/" + placeholder, "src/app/src/main/java/" + placeholder},
		},
		"modules without a build file of their own": {
			[]string{"src/build.gradle", "src/settings.gradle=include 'api', 'app'", "src/api/src/main/java/A.java", "src/app/src/main/java/B.java", "src/empty/"},
			[]string{"src/api/src/main/java/A.java", "src/app/src/main/java/B.java"},
			[]string{"src/api/src/main/java/" + placeholder, "src/app/src/main/java/" + placeholder, "src/src/main/java/" + placeholder},
		},
		"the code of the build itself": {
			[]string{"src/build.gradle", "src/settings.gradle=pluginManagement { includeBuild('build-logic') }\nincludeBuild \"x/../tools/gen\"",
				"src/buildSrc/build.gradle", "src/buildSrc/src/main/groovy/Plugin.groovy", "src/build-logic/src/main/java/Logic.java",
				"src/tools/gen/src/main/java/Gen.java", "src/build-logical/src/main/java/X.java", "src/src/main/java/KV.java"},
			[]string{"src/build-logical/src/main/java/X.java", "src/src/main/java/KV.java"},
			[]string{"src/build-logical/src/main/java/" + placeholder, "src/src/main/java/" + placeholder},
		},
		"Kotlin": {
			[]string{"src/build.gradle.kts", "src/settings.gradle.kts=includeBuild(\"conventions\")", "src/gradle/libs.versions.toml",
				"src/conventions/build.gradle.kts", "src/conventions/src/main/kotlin/conv.gradle.kts", "src/src/main/kotlin/kv/KV.kt"},
			[]string{"src/src/main/kotlin/kv/KV.kt"},
			[]string{"src/src/main/java/" + placeholder, "src/src/main/kotlin/FabricBuilderPlaceholderKt.kt"},
		},
		"jars among the code": {
			[]string{"src/pom.xml", "src/src/main/resources/lib/local.jar", "src/src/main/resources/x", "src/src/main/webapp/WEB-INF/lib/y.jar"},
			[]string{"src/src/main/resources/x"}, nil,
		},
		"a project where code might be": {
			[]string{"src/settings.gradle", "src/build.gradle", "src/src/chaincode/java/build.gradle", "src/src/chaincode/java/src/main/java/KV.java"},
			[]string{"src/src/chaincode/java/src/main/java/KV.java"},
			[]string{"src/src/chaincode/java/src/main/java/" + placeholder, "src/src/main/java/" + placeholder},
		},
		"code in code": {
			[]string{"src/pom.xml", "src/src/main/resources/archetype/src/main/java/X.java", "src/src/main/resources/archetype/pom.xml"},
			[]string{"src/src/main/resources/archetype/src/main/java/X.java", "src/src/main/resources/archetype/pom.xml"}, nil,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			files := javaSource(test.files...)
			got := plan(t, metadata.Package{Type: "java"}, files)
			require.NotNil(t, got.Snapshot, got.NoSnapshotReason)
			for file := range files {
				isLeftOut := !assert.ObjectsAreEqual(true, contains(got.Snapshot.Files, file))
				assert.Equal(t, contains(test.leftOut, file), isLeftOut, file)
			}
			var added []string
			for _, placeholder := range got.Snapshot.Placeholders {
				added = append(added, placeholder.Path)
				assert.Contains(t, placeholder.Text, "class FabricBuilderPlaceholder")
			}
			assert.Equal(t, test.added, added)
		})
	}
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// Every directory of a project is there, since Gradle 9 refuses a project without one, but none below a source root.
func TestAJavaSnapshotHasTheDirectories(t *testing.T) {
	got := plan(t, metadata.Package{Type: "java"}, javaSource("src/build.gradle", "src/empty/", "src/app/src/main/java/org/example/KV.java", "src/app/src/main/resources/x/"))
	require.NotNil(t, got.Snapshot, got.NoSnapshotReason)
	assert.Equal(t, []string{"src", "src/app", "src/app/src", "src/app/src/main", "src/app/src/main/java", "src/app/src/main/resources", "src/build.gradle", "src/empty"},
		got.Snapshot.Files)
}

func TestJavaPackagesWithoutASnapshot(t *testing.T) {
	off := config.Defaults()
	off.Builder.Snapshots = false
	node := config.Defaults()
	node.Builder.Node.Snapshots = false
	for name, test := range map[string]struct {
		files    []string
		settings config.Settings
		want     string
	}{
		"jars alone":            {[]string{"src/kv.jar", "src/lib/x.jar"}, config.Defaults(), "there is neither a pom.xml nor a Gradle build file"},
		"code in another place": {[]string{"src/pom.xml", "src/code/KV.java"}, config.Defaults(), "the package has no code in src/SET/java or a similar directory"},
		"code of the build":     {[]string{"src/build.gradle", "src/buildSrc/src/main/java/X.java"}, config.Defaults(), "the package has no code in src/SET/java or a similar directory"},
		"off":                   {[]string{"src/pom.xml", "src/src/main/java/KV.java"}, off, "builder.snapshots is false"},
		"off for node":          {[]string{"src/pom.xml", "src/src/main/java/KV.java"}, node, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := planFor(metadata.Package{Type: "java"}, javaSource(test.files...), test.settings, nil)
			require.NoError(t, err)
			assert.Equal(t, test.want, got.NoSnapshotReason)
			assert.Equal(t, test.want == "", got.Snapshot != nil)
		})
	}
}

// Builds share a snapshot only if they have the same environment, credentials included: the snapshot may hold what only they
// can download.
func TestTheEnvironmentOfAJavaSnapshot(t *testing.T) {
	settings := config.Defaults()
	settings.Builder.Build.Environment = config.Environment{"NEXUS_TOKEN=secret", "A=1", "HTTP_PROXY=http://x"}
	got, err := planFor(metadata.Package{Type: "java"}, javaSource("src/pom.xml", "src/src/main/java/KV.java"), settings, []string{"https_proxy=http://y"})
	require.NoError(t, err)
	assert.Equal(t, []string{"A=1", "NEXUS_TOKEN=secret"}, got.Snapshot.Environment)
}

// What the script of a build lists.
func TestJavaBuildsListTheirDownloads(t *testing.T) { eachShell(t, testJavaBuildsListTheirDownloads) }

func testJavaBuildsListTheirDownloads(t *testing.T) {
	b := newBox(t)
	b.file("/chaincode/cache/x", "", 0o644)
	b.file("/home/.m2/repository/org/a/1/a.jar", "the image's", 0o644)
	b.file("/home/.m2/settings.xml", "<settings>\n <localRepository>ROOT/elsewhere</localRepository>\n</settings>", 0o644)
	old := "touch -d 2001-01-01 " // as files are that Maven's wrapper has unpacked
	b.file("/build.sh", `#!/bin/sh
sleep 1.1 # BusyBox compares whole seconds
mkdir -p ROOT/home/.m2/repository/org/b/1 ROOT/home/.m2/repository/org/own/1 ROOT/home/.gradle/caches/modules-2/files-2.1 ROOT/elsewhere ROOT/other
cd ROOT/home/.m2/repository/org
echo b >b/1/b.jar
echo 'b.jar>central=' >b/1/_remote.repositories
echo own >own/1/own.jar
echo 'own.jar>=' >own/1/_remote.repositories
echo c >ROOT/home/.gradle/caches/modules-2/files-2.1/c.jar
echo d >ROOT/elsewhere/d.jar
echo e >ROOT/other/e.jar
mkdir ROOT/home/.m2/wrapper
echo w >ROOT/home/.m2/wrapper/mvn
`+old+`ROOT/home/.m2/wrapper/mvn
exit 3
`, 0o755)
	script := plan(t, metadata.Package{Type: "java"}, javaSource("src/pom.xml=<project/>", "src/src/main/java/X.java")).Snapshot.Command
	script[2] = "export HOME=ROOT/home MAVEN_ARGS='-B -Dmaven.repo.local=ROOT/other'\n" + script[2]
	status, stderr, _ := b.run(script)
	assert.Zero(t, status, "that the build fails is no error")
	assert.Empty(t, stderr)

	list, err := os.Open(b.path("/chaincode/cache/downloads"))
	require.NoError(t, err)
	defer list.Close()
	found, err := platform.ParseDownloads(list)
	require.NoError(t, err)
	assert.Equal(t, 3, found.Status)
	kept := func(name string) bool { return found.Keep(b.path(name)) }
	assert.False(t, kept("/home/.m2/repository/org/a/1/a.jar"), "the image's")
	assert.True(t, kept("/home/.m2/repository/org/b/1/b.jar"))
	assert.False(t, kept("/home/.m2/repository/org/own/1/own.jar"), "the build's own")
	assert.True(t, kept("/home/.gradle/caches/modules-2/files-2.1/c.jar"))
	files, _ := found.Count(false)
	assert.Equal(t, 2, files, "of b and c Maven and Gradle say that they were downloaded")
	assert.Equal(t, strings.HasPrefix(t.Name(), "TestJavaBuildsListTheirDownloads/dash"), kept("/home/.m2/wrapper/mvn"), "BusyBox's find knows only dates")
	var above []string
	for _, directory := range found.Above {
		above = append(above, directory.Path)
	}
	assert.Contains(t, above, b.path("/home/.m2"))
	assert.Contains(t, above, b.root)
}

// What a build without the code leaves out, and the build of the code never does: the compiler, and what comes after the shade
// plugin has begun.
func TestWhatABuildWithoutTheCodeLeavesOut(t *testing.T) {
	const shade = "<artifactId>maven-shade-plugin</artifactId>"
	for name, test := range map[string]struct {
		file          string
		compiler, end bool
	}{
		"shade":                        {"app/pom.xml=" + shade, true, true},
		"no shade":                     {"app/pom.xml=<project/>", true, false},
		"annotation processors":        {"app/pom.xml=" + shade + "<annotationProcessorPaths>", false, true},
		"the same, in a parent":        {"parent.xml=" + shade + "<annotationProcessorPaths>", false, true},
		"Scala":                        {"app/pom.xml=" + shade + "<artifactId>scala-maven-plugin</artifactId>", false, true},
		"a step that needs classes":    {"app/pom.xml=" + shade + "<copy todir='${project.build.outputDirectory}/x'/>", false, true},
		"another one":                  {"app/pom.xml=" + shade + "<fileset dir='target/classes'/>", false, true},
		"no jar without classes":       {"app/pom.xml=" + shade + "<skipIfEmpty>true</skipIfEmpty>", false, true},
		"a jar of the sources":         {"app/pom.xml=" + shade + "<createSourcesJar>true</createSourcesJar>", true, false},
		"a jar of the tests":           {"app/pom.xml=" + shade + "<shadeTestJar>true</shadeTestJar>", true, false},
		"a project among the code":     {"src/main/resources/archetype/pom.xml=" + shade, true, false},
		"a directory with such a name": {"x.xml/a.txt=" + shade, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			both := plan(t, metadata.Package{Type: "java"}, javaSource("src/pom.xml=<project/>", "src/"+test.file, "src/src/main/java/X.java"))
			assert.Equal(t, test.compiler, strings.Contains(both.Snapshot.Command[2], "-Dmaven.main.skip=true"))
			assert.Equal(t, test.end, strings.Contains(both.Snapshot.Command[2], "mkfifo"))
			assert.NotContains(t, both.Command[2], "-Dmaven.main.skip=true")
			assert.NotContains(t, both.Command[2], "mkfifo")
		})
	}
	for options, end := range map[string]bool{
		"": true, "-Dx=y\n-Prelease -Pa,b": true, "-T 2": false, "-Dx=y -T1C": false, "--threads=2": false, "-bconcurrent": false, "-fae": false, "--fail-never": false,
	} {
		got := plan(t, metadata.Package{Type: "java"}, javaSource("src/pom.xml="+shade, "src/.mvn/maven.config="+options, "src/src/main/java/X.java"))
		assert.Equal(t, end, strings.Contains(got.Snapshot.Command[2], "mkfifo"), options)
	}
}

// A package of some megabytes can hold files of zeros that together are larger than the memory of the peer's container.
func TestManyLargeProjectsAreNotHeldInMemory(t *testing.T) {
	files := javaSource("src/pom.xml", "src/src/main/java/X.java")
	zeros := make([]byte, 8<<20)
	for n := range 40 {
		files[fmt.Sprintf("src/%d/pom.xml", n)] = &fstest.MapFile{Data: zeros}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	plan(t, metadata.Package{Type: "java"}, files)
	runtime.ReadMemStats(&after)
	assert.Less(t, after.HeapSys, before.HeapSys+256<<20, "the most that the heap has taken")
}

// The compiler is left out whoever sets options for Maven's JVM.
func TestABuildWithoutTheCodeSkipsTheCompiler(t *testing.T) {
	eachShell(t, testABuildWithoutTheCodeSkipsTheCompiler)
}

func testABuildWithoutTheCodeSkipsTheCompiler(t *testing.T) {
	b := newBox(t)
	b.file("/chaincode/cache/x", "", 0o644)
	b.file("/build.sh", "#!/bin/sh\necho \"$MAVEN_OPTS\" >&2\n", 0o755)
	command := plan(t, metadata.Package{Type: "java"}, javaSource("src/pom.xml=<project/>", "src/src/main/java/X.java")).Snapshot.Command
	command[2] = "export MAVEN_OPTS=-Xmx1g\n" + command[2]
	_, stderr, _ := b.run(command)
	assert.Equal(t, "-Xmx1g -Dmaven.main.skip=true\n", stderr)
}

// Nothing is downloaded any more when Maven's shade plugin puts the jar of the last module together. What still runs then ends
// with the container, and so does what a build has left in the background.
func TestWhenABuildWithoutTheCodeEnds(t *testing.T) { eachShell(t, testWhenABuildWithoutTheCodeEnds) }

func testWhenABuildWithoutTheCodeEnds(t *testing.T) {
	const (
		shading  = "[INFO] Including org.a:a:jar:1.0 in the shaded jar.\n"
		building = "[INFO] Building kv 1.0\n"
		reactor  = "[DEBUG] === REACTOR BUILD PLAN ================\n[DEBUG] Project: org.a:api:jar:1.0\n"
		order    = "[INFO] Reactor Build Order:\n"
		first    = "[INFO] Building api 1.0                     [1/2]\n"
		last     = "[INFO] Building app 1.0                     [2/2]\n"
		jar      = "[DEBUG] Goal:          org.apache.maven.plugins:maven-jar-plugin:3.4.1:jar (default-jar)\n[DEBUG] Style:         Regular\n"
		shade    = "[DEBUG] Goal:          org.apache.maven.plugins:maven-shade-plugin:3.6.0:shade (default)\n[DEBUG] Configuration: <?xml version=\"1.0\"?>\n<password>x</password>\n"
		plan1    = "[DEBUG] === PROJECT BUILD PLAN ================\n" + jar + shade + shade + "[DEBUG] ===\n"
		more     = "[DEBUG] === PROJECT BUILD PLAN ================\n" + shade + jar
		ends     = "all dependencies are there: the build without the code ends here\n"
		begins   = "[INFO] --- jar:3.4.1:jar (default-jar) @ kv ---\n"
		bad      = "[WARNING] Could not validate integrity of download from http://x\n"
		threads  = "[INFO] Using the MultiThreadedBuilder implementation with a thread count of 2\n"
	)
	for name, test := range map[string]struct{ printed, then, want, status string }{
		"one module":                      {building + plan1 + begins + shading, "goes_on", building + begins + shading + ends, "0"},
		"the last of two modules":         {order + reactor + first + plan1 + begins + shading + last + plan1 + begins + shading, "goes_on", order + first + begins + shading + last + begins + shading + ends, "0"},
		"the first of two modules":        {order + first + plan1 + begins + shading, "exit 3", order + first + begins + shading, "3"},
		"modules that are not counted":    {order + building + plan1 + begins + shading, "exit 3", order + building + begins + shading, "3"},
		"something after shade":           {building + more + begins + shading, "exit 3", building + begins + shading, "3"},
		"no plan":                         {building + begins + shading, "exit 3", building + begins + shading, "3"},
		"the plan of an earlier module":   {order + first + plan1 + begins + last + more + begins + shading, "exit 3", order + first + begins + last + begins + shading, "3"},
		"a file that may be no jar":       {building + plan1 + bad + shading, "exit 3", building + bad + shading, "3"},
		"modules side by side":            {threads + order + last + plan1 + begins + shading, "exit 3", threads + order + last + begins + shading, "3"},
		"what is no line of Maven's":      {building + plan1 + begins + "x " + shading, "exit 3", building + begins + "x " + shading, "3"},
		"an output without a last line":   {" a \\ b\n\nlast", "exit 3", " a \\ b\n\nlast\n", "3"},
		"no output":                       {"", "exit 0", "", "0"},
		"more in the background":          {"done\n", "goes_on & exit 3", "done\n", "3"},
		"a status that build.sh makes up": {"build.sh ended with status x\n", "exit 0", "", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			b.file("/chaincode/cache/x", "", 0o644)
			b.file("/printed", test.printed, 0o644)
			b.file("/build.sh", "#!/bin/sh\ngoes_on() { while [ -e ROOT/printed ]; do sleep 0.05; done; }\ncat ROOT/printed\n"+test.then+"\n", 0o755)
			script := plan(t, metadata.Package{Type: "java"}, javaSource("src/pom.xml=maven-shade-plugin", "src/src/main/java/X.java")).Snapshot.Command
			script[2] = "exec >ROOT/out 2>&1\n" + script[2]
			status, _, _ := b.run(script)
			assert.Zero(t, status)
			printed, err := os.ReadFile(b.path("/out"))
			require.NoError(t, err)
			assert.Equal(t, test.want, string(printed))
			list, err := os.ReadFile(b.path("/chaincode/cache/downloads"))
			require.NoError(t, err)
			assert.True(t, strings.HasPrefix(string(list), "status "+test.status+"\n"), string(list))
		})
	}
}

func TestWhichDownloadsAreKept(t *testing.T) {
	const maven, gradle, tool = "/root/.m2/repository/", "/root/.gradle/caches/modules-2/", "/root/.gradle/wrapper/dists/"
	files := map[string]bool{ // whether it belongs in a snapshot
		maven + "org/a/1/a-1.jar":                              true,
		maven + "org/a/1/a-1.jar.sha1":                         false,
		maven + "org/a/1/_remote.repositories":                 true,
		maven + "org/a/1/a-1.jar.lastUpdated":                  false,
		maven + "org/a/1/a-1.jar.123.tmp":                      false,
		maven + "org/a/1/.wh.a":                                false,
		maven + "org/a/maven-metadata-central.xml":             false,
		maven + "org/a/resolver-status.properties":             false,
		maven + "org/s/1-SNAPSHOT/s-1.jar":                     false,
		maven + "org/s/1-SNAPSHOT/_remote.repositories":        false,
		maven + "org/local/1/local-1.jar":                      false,
		maven + "org/local/1/_remote.repositories":             false,
		maven + "org/unknown/1/unknown-1.jar":                  false,
		maven + ".locks/x":                                     false,
		gradle + "files-2.1/org.b/b/1/00/b-1.jar":              true,
		gradle + "metadata-2.36/module-metadata.bin":           true,
		gradle + "modules-2.lock":                              false,
		gradle + "files-2.1/org.c/c/1-SNAPSHOT/00/c.jar":       false,
		tool + "gradle-8.5-bin/x/gradle-8.5/bin/gradle":        true,
		tool + "gradle-8.5-bin/x/gradle-8.5/init.d/readme.txt": true,
		tool + "gradle-8.5-bin/x/gradle-8.5-bin.zip":           false,
		tool + "gradle-8.5-bin/x/gradle-8.5-bin.zip.ok":        true,
		tool + "gradle-8.5-bin/x/gradle-8.5-bin.zip.lck":       false,
		"/root/.m2/settings.xml":                               false,
		"/root/.gradle/gradle.properties":                      false,
		"/root/.gradle/init.d/evil.gradle":                     false,
		"/root/.gradle/caches/build-cache-1/0123":              false,
		"/root/chaincode-java/build.sh":                        false,
		"/root/.m2/repository-evil/a/1/a.jar":                  false,
	}
	list := "status 1\nmaven " + strings.TrimSuffix(maven, "/") + "\ngradle " + strings.TrimSuffix(gradle, "/") + "\ntool " + strings.TrimSuffix(tool, "/") + "\n" +
		"installed " + maven + "org/local/1/_remote.repositories\nparent 700 0 0 /root\nparent 755 0 0 /root/.m2\nparent 755 0 0 /\nparent 700 0 0 /root\n" +
		"parent x\nof a name with a line feed\n"
	for name := range files {
		list += "file " + name + "\n"
	}
	found, err := platform.ParseDownloads(strings.NewReader(list))
	require.NoError(t, err)
	for name, want := range files {
		assert.Equal(t, want, found.Keep(name), name)
	}
	assert.Equal(t, 1, found.Status)
	assert.Len(t, found.Above, 2)
	assert.Len(t, found.Stores(), 3)
	n, snapshots := found.Count(true)
	assert.Equal(t, 2, n, "a and b")
	assert.False(t, snapshots)
	n, snapshots = found.Count(false)
	assert.Equal(t, 5, n, "and s, c and metadata, but nothing that does not come from elsewhere")
	assert.True(t, snapshots)
}

func TestADownloadsListThatIsWrong(t *testing.T) {
	_, err := platform.ParseDownloads(strings.NewReader("status x\n"))
	require.EqualError(t, err, `invalid status "x"`)
	_, err = platform.ParseDownloads(strings.NewReader(strings.Repeat("file /a\n", 5<<20)))
	require.EqualError(t, err, "the list is too long")
}
