// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/test/peer"
)

// javaConfig returns config with the image that Java chaincodes are built in and run on.
func javaConfig(t *testing.T, extra string) string {
	t.Helper()
	image := os.Getenv("FBD_TEST_JAVAENV")
	require.NotEmpty(t, image, "FBD_TEST_JAVAENV is not set: run these tests through make test")
	return strings.Replace(config(extra), "chaincode:\n", "chaincode:\n  java: {runtime: "+image+"}\n", 1)
}

func javaPeer(t *testing.T, change ...func(*peer.Options)) *testPeer {
	t.Helper()
	return newPeer(t, append([]func(*peer.Options){withBuilder(builder(t, javaConfig(t, "")))}, change...)...)
}

// What put writes, get returns, with the real shim.
func TestAJavaChaincodeGoesThroughAllPhases(t *testing.T) {
	t.Parallel()
	for _, tls := range []bool{true, false} {
		t.Run(fmt.Sprintf("tls=%v", tls), func(t *testing.T) {
			p := javaPeer(t, withTLS(tls))
			id := p.install(t, packedAs(t, javaSample(t).dir, "java", "javakv_1.0"))
			p.invoke(t, id, "put", "colour", "blue")
			assert.Equal(t, "blue", p.invoke(t, id, "get", "colour"))
			require.NoError(t, p.Stop(timeout(t), id))
			assert.Equal(t, 143, p.ended(t, id).ExitCode(), "the JVM has got the signal")
			noContainers(t, metadata.LabelChaincodeID, id)
			assert.Equal(t, "blue", p.invoke(t, id, "get", "colour"), "after a second launch")
			assert.False(t, p.ScannerDied())
		})
	}
}

// warmed depends on a library that exists only in the image. Its main prints its last words and exits with 5.
func warmed() []peer.Entry {
	const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>org.example</groupId><artifactId>warmer</artifactId><version>1</version>
<properties><maven.compiler.release>11</maven.compiler.release></properties>
<dependencies><dependency><groupId>org.example</groupId><artifactId>warmed</artifactId><version>1.0</version></dependency></dependencies>
<build><finalName>chaincode</finalName><plugins>
<plugin><artifactId>maven-compiler-plugin</artifactId><version>3.13.0</version></plugin>
<plugin><artifactId>maven-jar-plugin</artifactId><version>3.4.1</version><configuration><archive><manifest><mainClass>Main</mainClass></manifest></archive></configuration></plugin>
</plugins></build></project>`
	return []peer.Entry{
		peer.File("src/pom.xml", pom),
		peer.File("src/src/main/java/Main.java", `public class Main { public static void main(String[] a) { System.out.println("main: last words"); System.exit(5); } }`),
	}
}

// dies5 expects a chaincode that prints its last words and exits with 5.
func (p *testPeer) dies5(t *testing.T, id string) {
	t.Helper()
	_, err := p.Launch(timeout(t), id)
	require.ErrorContains(t, err, "exit status 5", p.journal)
	assert.Contains(t, p.said("run"), metadata.ShortID(id)+" | main: last words\n")
}

// Every build finds the libraries in the image, and nothing that an earlier build of the label left.
func TestAJavaBuildSeesTheImageAlone(t *testing.T) {
	t.Parallel()
	p := javaPeer(t)
	p.dies5(t, p.install(t, fresh(t, "java", "warmed_1.0", warmed()...)))
	leaves := peer.File("src/mvnw", "#!/bin/sh\nset -e\ntest ! -e /root/.m2/left\ntest ! -e /root/.gradle/left\ntouch /root/.m2/left /root/.gradle/left\n"+
		strings.TrimPrefix(wrapper("target/chaincode.jar"), "#!/bin/sh\nset -e\n"))
	for range 2 {
		p.dies5(t, p.install(t, fresh(t, "java", "warmed_1.1", warmed()[1], peer.File("src/pom.xml", "<project/>"), leaves)))
	}
}

// A JVM with two options that select a garbage collector does not start: https://github.com/OpenNMS has such a file, as do
// 1,900 others.
func TestAJavaPackageWithOptionsForTheJVM(t *testing.T) {
	t.Parallel()
	p := javaPeer(t)
	p.dies5(t, p.install(t, fresh(t, "java", "options_1.0", append(warmed(), peer.File("src/.mvn/jvm.config", "-Xmx512m -XX:+UseParallelGC\n"))...)))
}

// wrapper is a wrapper script without its execute bit, as the peer's CLI packs it. It creates the jar itself instead of
// fetching a build tool.
func wrapper(jar string) string {
	return "#!/bin/sh\nset -e\necho \"the wrapper: $*\"\nmkdir -p classes $(dirname " + jar + ")\n" +
		"javac -d classes src/main/java/Main.java\njar --create --file " + jar + " --main-class Main -C classes .\n"
}

// All layouts that the image's build.sh accepts.
func TestEveryJavaLayout(t *testing.T) {
	t.Parallel()
	main := warmed()[1]
	main.Name = "src/src/main/java/Main.java"
	const gradle = "plugins { id 'java' }\njar { archiveName = 'chaincode.jar'\n manifest { attributes 'Main-Class': 'Main' } }\ntask shadowJar { dependsOn jar }\n"
	tests := map[string]struct {
		code []peer.Entry
		said string
	}{
		"Maven with a wrapper":     {[]peer.Entry{main, peer.File("src/pom.xml", "<project/>"), peer.File("src/mvnw", wrapper("target/chaincode.jar"))}, "the wrapper: "},
		"Gradle with a wrapper":    {[]peer.Entry{main, peer.File("src/build.gradle", ""), peer.File("src/gradlew", wrapper("build/libs/chaincode.jar"))}, "the wrapper: "},
		"Gradle in Kotlin":         {[]peer.Entry{main, peer.File("src/build.gradle.kts", ""), peer.File("src/gradlew", wrapper("build/libs/chaincode.jar"))}, "the wrapper: "},
		"Gradle without a wrapper": {[]peer.Entry{main, peer.File("src/build.gradle", gradle), peer.File("src/settings.gradle", "rootProject.name = 'x'\n")}, "BUILD SUCCESSFUL"},
		"by hand, at the root": {[]peer.Entry{{Name: "src/main/java/Main.java", Body: main.Body, Mode: main.Mode},
			peer.File("pom.xml", "<project/>"), peer.File("mvnw", wrapper("target/chaincode.jar"))}, "the wrapper: "},
	}
	p := javaPeer(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			told := len(p.said("build"))
			id := p.install(t, packed(t, "java", ".", test.code...))
			assert.Contains(t, plain(p.said("build")[told:]), "packed_1.0 | "+test.said)
			p.dies5(t, id)
		})
	}
}

func TestAJavaPackageWithNothingToBuildFrom(t *testing.T) {
	p := javaPeer(t)
	_, err := p.Install(timeout(t), fresh(t, "java", "nothing_1.0", peer.File("src/README.md", "")))
	require.ErrorContains(t, err, "exit status 1")
	assert.Contains(t, p.said("build"), "the build ended with exit status 255")
	noContainers(t, metadata.LabelKind, metadata.KindBuild)
}

func TestAJarThatCameWithThePackage(t *testing.T) {
	t.Parallel()
	p := javaPeer(t)
	first := p.install(t, packed(t, "java", ".", warmed()[1], peer.File("src/pom.xml", "<project/>"), peer.File("src/mvnw", wrapper("target/chaincode.jar"))))
	jar := imageFile(t, p.record(t, first).Image, "/root/chaincode-java/chaincode/chaincode.jar")
	assert.Empty(t, imageFile(t, p.record(t, first).Image, "/root/chaincode-java/chaincode/.uberjar"))
	id := p.install(t, packed(t, "java", ".", peer.Entry{Name: "src/lib/kv.jar", Body: jar, Mode: 0o100644}))
	assert.Equal(t, jar, imageFile(t, p.record(t, id).Image, filepath.Join("/root/chaincode-java/chaincode", "src/lib/kv.jar")))
}
