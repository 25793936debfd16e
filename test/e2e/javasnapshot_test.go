// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/test/peer"
)

// saltedCode returns code that differs from all other, in a place that is no part of a snapshot.
func saltedCode(code ...peer.Entry) []peer.Entry {
	return append(code, peer.File("src/src/main/resources/salt.txt", rand.Text()))
}

// installJava installs a package and returns its id and what build has said.
func (p *testPeer) installJava(t *testing.T, code ...peer.Entry) (id, said string) {
	t.Helper()
	told := len(p.said("build"))
	pkg, err := peer.Assemble(map[string]any{"type": "java", "label": "ahead_1.0", "path": "."}, code...)
	require.NoError(t, err)
	id = p.install(t, pkg)
	return id, plain(p.said("build")[told:])
}

var downloadedAhead = regexp.MustCompile(`downloaded the dependencies ahead of the code: files=(\d+) build_status=(\d+) `)

const downloadedNothing = "the build has downloaded what the snapshot lacks: files=0 snapshot_versions=false\n"

// ahead returns how many files were downloaded ahead of the code, and the exit status of the build that did it.
func ahead(t *testing.T, said string) (files, status string) {
	t.Helper()
	found := downloadedAhead.FindStringSubmatch(said)
	require.NotNil(t, found, said)
	return found[1], found[2]
}

// newJava is a Java chaincode of two modules with a pom.xml that no engine has seen, and what build has said of its first install.
type newJava struct{ dir, said string }

var sharedJava shared[newJava]

// javaSample returns that chaincode with a snapshot that this run has made, which takes half a minute.
func javaSample(t *testing.T) newJava {
	t.Helper()
	return sharedJava.get(t, func() newJava {
		dir := filepath.Join(world.bin, "java-sample")
		require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join(world.samples, "java-kv-modules"))))
		pom, err := os.ReadFile(filepath.Join(dir, "pom.xml"))
		require.NoError(t, err)
		pom = bytes.Replace(pom, []byte("</properties>"), []byte("<salt>"+rand.Text()+"</salt></properties>"), 1)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "pom.xml"), pom, 0o644))
		_, said := javaPeer(t).installJava(t, saltedCode(entries(t, dir)...)...)
		return newJava{dir, said}
	})
}

// The real shim, two modules: the first install downloads everything ahead of the code, and an upgrade nothing.
func TestAnUpgradeOfAJavaPackageDownloadsNothing(t *testing.T) {
	t.Parallel()
	p, first := javaPeer(t), javaSample(t)
	said := first.said
	files, status := ahead(t, said)
	assert.NotEqual(t, "0", files)
	assert.Equal(t, "0", status)
	assert.Contains(t, said, downloadedNothing)
	id, said := p.installJava(t, saltedCode(entries(t, first.dir)...)...)
	assert.NotContains(t, said, "ahead of the code")
	assert.Contains(t, said, downloadedNothing)
	p.invoke(t, id, "put", "a", "1")
	assert.Equal(t, "1", p.invoke(t, id, "get", "a"))
}

// jar returns a jar with one resource.
func jar(t *testing.T) []byte {
	t.Helper()
	var buffer bytes.Buffer
	archive := zip.NewWriter(&buffer)
	w, err := archive.Create("resource.txt")
	require.NoError(t, err)
	_, err = w.Write([]byte("x"))
	require.NoError(t, err)
	require.NoError(t, archive.Close())
	return buffer.Bytes()
}

// withPlugins returns the package of warmed with more dependencies and plugins.
func withPlugins(dependencies, plugins string, more ...peer.Entry) []peer.Entry {
	code := warmed()
	pom := strings.Replace(string(code[0].Body), "</dependencies>", dependencies+"</dependencies>", 1)
	code[0].Body = []byte(strings.Replace(pom, "</plugins>", plugins+"</plugins>", 1))
	return append(code, more...)
}

// Packages whose builds need more than pom.xml before they download: all of it is there, but the code.
func TestWhatAJavaBuildNeedsAheadOfTheCodeIsThere(t *testing.T) {
	t.Parallel()
	const system = `<dependency><groupId>org.example</groupId><artifactId>local</artifactId><version>1</version><scope>system</scope><systemPath>${project.basedir}/lib/local.jar</systemPath></dependency>`
	const enforcer = `<plugin><artifactId>maven-enforcer-plugin</artifactId><version>3.5.0</version><executions><execution><phase>validate</phase><goals><goal>enforce</goal></goals>
<configuration><rules><requireFilesExist><files><file>${project.basedir}/config/VERSION</file></files></requireFilesExist></rules></configuration></execution></executions></plugin>`
	processor := warmed()
	processor[0].Body = bytes.Replace(processor[0].Body, []byte("<version>3.13.0</version>"), []byte("<version>3.13.0</version><configuration><annotationProcessorPaths><path>"+
		"<groupId>org.immutables</groupId><artifactId>value</artifactId><version>2.10.1</version></path></annotationProcessorPaths></configuration>"), 1)
	for name, code := range map[string][]peer.Entry{
		"an annotation processor that only the compiler needs": processor,
		"a jar of scope system, and a file that validate reads": withPlugins(system, enforcer,
			peer.Entry{Name: "src/lib/local.jar", Body: jar(t), Mode: 0o100644}, peer.File("src/config/VERSION", "1")),
		"two modules, one needs the other, and Lombok": entries(t, filepath.Join(world.samples, "java-modules")),
	} {
		t.Run(name, func(t *testing.T) {
			p := javaPeer(t)
			code := append(code, peer.File("src/salt.txt", rand.Text())) // a new snapshot
			id, said := p.installJava(t, saltedCode(code...)...)
			files, status := ahead(t, said)
			assert.NotEqual(t, "0", files)
			assert.Equal(t, "0", status, said)
			assert.Contains(t, said, downloadedNothing)
			p.dies5(t, id)
			id, said = p.installJava(t, saltedCode(code...)...)
			assert.Contains(t, said, downloadedNothing)
			p.dies5(t, id)
		})
	}
}

// Debian's Gradle 4.4.1, with code of the build's own in buildSrc and a dependency.
func TestAGradleBuildDownloadsAheadOfTheCode(t *testing.T) {
	t.Parallel()
	code := []peer.Entry{
		warmed()[1],
		peer.File("src/settings.gradle", "rootProject.name = 'x'\ninclude 'lib'\n"),
		peer.File("src/buildSrc/src/main/groovy/Said.groovy", "class Said { static String words = 'of buildSrc' }\n"),
		peer.File("src/build.gradle", `println Said.words
allprojects {
	apply plugin: 'java'
	repositories { mavenCentral() }
}
project(':lib').dependencies { compile 'org.apache.commons:commons-lang3:3.12.0' }
dependencies { compile project(':lib') }
jar {
	archiveName = 'chaincode.jar'
	manifest { attributes 'Main-Class': 'Main' }
	from { configurations.runtimeClasspath.collect { it.isDirectory() ? it : zipTree(it) } }
}
task shadowJar { dependsOn jar }
// `+rand.Text()+"\n"),
		peer.File("src/lib/src/main/java/Lib.java", "public class Lib { String s = org.apache.commons.lang3.StringUtils.trim(\" x \"); }\n"),
	}
	p := javaPeer(t)
	id, said := p.installJava(t, saltedCode(code...)...)
	assert.Contains(t, said, "| of buildSrc\n")
	files, status := ahead(t, said)
	assert.NotEqual(t, "0", files)
	assert.Equal(t, "0", status, said)
	assert.Contains(t, said, downloadedNothing)
	p.dies5(t, id)
	_, said = p.installJava(t, saltedCode(code...)...)
	assert.Contains(t, said, downloadedNothing)
}

// A current Gradle is not to be had in the tests' image. A wrapper in its place shows what it would find.
func TestWhatAGradleBuildInKotlinFindsAheadOfTheCode(t *testing.T) {
	t.Parallel()
	gradlew := peer.File("src/gradlew", "#!/bin/sh\necho \"found: $(find . -type f | sort | tr '\\n' ' ')\"\n"+strings.TrimPrefix(wrapper("build/libs/chaincode.jar"), "#!/bin/sh\n"))
	p := javaPeer(t)
	id, said := p.installJava(t, warmed()[1], gradlew, peer.File("src/build.gradle.kts", "// "+rand.Text()), peer.File("src/settings.gradle.kts", "includeBuild(\"conventions\")"),
		peer.File("src/gradle/libs.versions.toml", ""), peer.File("src/conventions/src/main/kotlin/conv.gradle.kts", ""), peer.File("src/src/main/kotlin/KV.kt", ""))
	assert.Contains(t, said, "found: ./build.gradle.kts ./conventions/src/main/kotlin/conv.gradle.kts ./gradle/libs.versions.toml ./gradlew ./settings.gradle.kts "+
		"./src/main/java/FabricBuilderPlaceholder.java ./src/main/kotlin/FabricBuilderPlaceholderKt.kt \n")
	_, status := ahead(t, said)
	assert.Equal(t, "2", status, "javac finds no Main.java")
	p.dies5(t, id)
}

// A build that reads its sources while it resolves is built all the same, as is one that finds its own tools in the snapshot.
func TestABuildWithoutTheCodeThatFails(t *testing.T) {
	t.Parallel()
	const fetches = `tool=/root/.m2/wrapper/dists/maven/bin/mvn
if [ ! -e $tool ]; then
	echo "the wrapper: fetching"
	mkdir -p /root/.m2/wrapper/dists/maven/bin
	echo '#!/bin/sh' >$tool
	chmod +x $tool
	touch -d 2001-01-01 $tool
fi
$tool
`
	code := []peer.Entry{
		warmed()[1], peer.File("src/pom.xml", "<project/>"), peer.File("src/salt.txt", rand.Text()),
		peer.File("src/mvnw", "#!/bin/sh\nset -e\n"+fetches+"cat src/main/java/Main.java >/dev/null\n"+strings.TrimPrefix(wrapper("target/chaincode.jar"), "#!/bin/sh\nset -e\n")),
	}
	p := javaPeer(t)
	id, said := p.installJava(t, saltedCode(code...)...)
	_, status := ahead(t, said)
	assert.Equal(t, "1", status)
	assert.Equal(t, 1, strings.Count(said, "fetching"), "the wrapper's tool is in the snapshot")
	p.dies5(t, id)
	_, said = p.installJava(t, saltedCode(code...)...)
	assert.NotContains(t, said, "fetching")
}

// Two packages differ in nothing but their code. That of the first writes to every directory of the build's container.
func TestAHostileJavaPackageChangesNoOther(t *testing.T) {
	t.Parallel()
	mvnw := peer.File("src/mvnw", `#!/bin/sh
set -e
evil=$(find / -xdev -name evil)
if [ -n "$evil" ]; then
	echo "there is evil: $evil"
	exit 9
fi
if [ ! -f src/main/java/Main.java ]; then # the build without the code
	mkdir target
	touch target/chaincode.jar
	exit
fi
if [ -f src/main/resources/hook.sh ]; then
	. ./src/main/resources/hook.sh
fi
`+strings.TrimPrefix(wrapper("target/chaincode.jar"), "#!/bin/sh\nset -e\n"))
	hook := peer.File("src/src/main/resources/hook.sh", `mkdir -p /root/.m2/repository/org/x/1
echo 'evil>central=' >/root/.m2/repository/org/x/1/_remote.repositories
find / -xdev -type d | while read -r dir; do (echo evil >"$dir/evil") 2>/dev/null || true; done
echo 'hostile: written'
`)
	code := []peer.Entry{warmed()[1], peer.File("src/pom.xml", "<project/>"), peer.File("src/salt.txt", rand.Text()), mvnw}
	p := javaPeer(t)
	_, said := p.installJava(t, saltedCode(append(code, hook)...)...)
	assert.Contains(t, said, "| hostile: written\n")
	assert.Contains(t, said, "the build has downloaded what the snapshot lacks: files=1 ")
	id, said := p.installJava(t, saltedCode(code...)...)
	assert.NotContains(t, said, "there is evil")
	assert.NotContains(t, said, "ahead of the code", "both have the same snapshot")
	assert.Contains(t, said, downloadedNothing)
	p.dies5(t, id)
}
