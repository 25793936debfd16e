// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/metadata"
	"fabric-builder-docker/test/peer"
	"fabric-builder-docker/test/proxyworld"
)

// companyLanguage is how packages of one language, or one build tool, use a company's registries. Every package needs
// something public and something private.
type companyLanguage struct {
	packageType string
	code        func(t *testing.T) []peer.Entry
	// behindProxy is what builds need that go through the proxy, besides the proxy and the CA.
	behindProxy func(t *testing.T, c *company) given
	// atMirror is what builds need that use the mirror alone, besides the CA.
	atMirror func(c *company) given
	// registry returns the private registry.
	registry func(c *company) *proxyworld.Guarded
	host     string
	// check checks that a package's dependencies are in its image.
	check func(t *testing.T, p *testPeer, id string)
}

var companyLanguages = map[string]companyLanguage{
	"golang":           {"golang", corpGo, goBehindProxy, goAtMirror, func(c *company) *proxyworld.Guarded { return c.modules }, goHost, checkGo},
	"node":             {"node", corpNode, nodeBehindProxy, nodeAtMirror, func(c *company) *proxyworld.Guarded { return c.packages }, npmHost, checkNode},
	"java with Maven":  {"java", corpMaven, mavenBehindProxy, mavenAtMirror, theArtifacts, mavenHost, checkJava},
	"java with Gradle": {"java", corpGradle, gradleBehindProxy, gradleAtMirror, theArtifacts, mavenHost, checkJava},
}

func theArtifacts(c *company) *proxyworld.Guarded { return c.artifacts }

// proxies returns the variables for a proxy at this URL.
func (c *company) proxies(url string) map[string]string {
	return map[string]string{"HTTPS_PROXY": url, "HTTP_PROXY": url, "NO_PROXY": "localhost,.internal.test"}
}

func corpGo(t *testing.T) []peer.Entry {
	t.Helper()
	const public, version = "github.com/opencontainers/go-digest", "v1.0.0"
	sums := greetingModule.Sums()
	known, err := os.ReadFile(filepath.Join("..", "..", "go.sum"))
	require.NoError(t, err)
	for line := range strings.Lines(string(known)) {
		if strings.HasPrefix(line, public+" "+version) {
			sums += line
		}
	}
	return source(
		"src/go.mod", fmt.Sprintf("module example.test/cc\n\ngo 1.21\n\nrequire (\n\t%s %s\n\t%s %s\n)\n",
			greetingModule.Path, greetingModule.Version, public, version),
		"src/go.sum", sums,
		"src/main.go", fmt.Sprintf("package main\n\nimport (\n\t\"os\"\n\n\t%q\n\t%q\n)\n\nfunc main() {\n\tprintln(greeting.Text, digest.Canonical.String())\n\tos.Exit(7)\n}\n",
			greetingModule.Path, public),
		"src/salt.txt", rand.Text(),
	)
}

func goBehindProxy(t *testing.T, c *company) given {
	t.Helper()
	return given{
		environment: map[string]string{"GOPROXY": "https://" + goHost + "," + goProxy(t), "GONOSUMDB": goHost},
		secrets:     map[string]string{"~/.netrc": fmt.Sprintf("machine %s login %s password %s\n", goHost, c.user, c.password)},
	}
}

// Older go commands look for the host of a mirror in .netrc without its port, newer ones with it.
func goAtMirror(c *company) given {
	address := strings.TrimPrefix(c.mirrors[goHost], "https://")
	return given{
		environment: map[string]string{"GOPROXY": c.mirrors[goHost], "GONOSUMDB": goHost},
		secrets: map[string]string{"~/.netrc": fmt.Sprintf("machine %s login %s password %s\nmachine %[4]s login %[2]s password %[3]s\n",
			address, c.user, c.password, c.domain)},
	}
}

func checkGo(t *testing.T, p *testPeer, id string) {
	t.Helper()
	assert.Contains(t, p.printed(t, id), " | hello sha256\n")
}

func corpNode(t *testing.T) []peer.Entry {
	t.Helper()
	const number = "sha512-41Cifkg6e8TylSpdtTpeLVMqvSBEVzTttHvERD741+pnZ8ANv0004MRL43QKPDlK9cGvNp6NZWZUBlbGXYxxng=="
	const needs = `"dependencies":{"@corp/greeting":"1.2.3","is-number":"7.0.0"}`
	return source(
		"src/package.json", `{"name":"n","version":"1.0.0","scripts":{"start":"node index.js"},`+needs+`}`,
		"src/package-lock.json", fmt.Sprintf(`{"name":"n","version":"1.0.0","lockfileVersion":3,"requires":true,"packages":{"":{"name":"n","version":"1.0.0",%s},
"node_modules/@corp/greeting":{"version":"1.2.3","integrity":%q},"node_modules/is-number":{"version":"7.0.0","integrity":%q}}}`, needs, greetingPackage.Integrity(), number),
		"src/index.js", "console.log('says', require('@corp/greeting'), require('is-number')(3)); process.exit(7);\n",
		"src/salt.txt", rand.Text(),
	)
}

// npm would try again for a minute and more.
var impatientNPM = map[string]string{"NPM_CONFIG_FETCH_RETRIES": "0", "NPM_CONFIG_FETCH_TIMEOUT": "20000"}

func nodeBehindProxy(_ *testing.T, c *company) given {
	return given{
		secrets: map[string]string{"~/.npmrc": fmt.Sprintf("@corp:registry=https://%s/\n//%[1]s/:_authToken=%s\n", npmHost, c.token)},
	}.with(impatientNPM)
}

func nodeAtMirror(c *company) given {
	return given{
		environment: map[string]string{"NPM_CONFIG_REGISTRY": c.mirrors[npmHost] + "/"},
		secrets:     map[string]string{"~/.npmrc": strings.TrimPrefix(c.mirrors[npmHost], "https:") + "/:_authToken=" + c.token + "\n"},
	}.with(impatientNPM)
}

func checkNode(t *testing.T, p *testPeer, id string) {
	t.Helper()
	assert.Contains(t, p.printed(t, id), " | says hello true\n")
}

// javaMain prints what the private artifact holds, if that is in the same jar.
const javaMain = `public class Main { public static void main(String[] a) throws Exception {
	java.io.InputStream in = Main.class.getResourceAsStream("/greeting.txt");
	System.out.println("says " + (in == null ? "nothing" : new java.util.Scanner(in).next()));
	System.exit(7);
} }
`

func corpMaven(t *testing.T) []peer.Entry {
	t.Helper()
	pom := strings.NewReplacer(
		"<groupId>org.example</groupId><artifactId>warmed</artifactId><version>1.0</version>",
		"<groupId>test.example</groupId><artifactId>greeting</artifactId><version>1.2</version>",
		"<build>", "<repositories><repository><id>corp</id><url>https://"+mavenHost+"/</url></repository></repositories>\n<build>",
	).Replace(string(warmed()[0].Body))
	return source("src/pom.xml", pom, "src/src/main/java/Main.java", javaMain, "src/src/main/resources/salt.txt", rand.Text(), "src/salt.txt", rand.Text())
}

// mavenSettings returns a settings.xml with the credentials for the server called corp.
func mavenSettings(c *company, more string) string {
	return fmt.Sprintf("<settings><servers><server><id>corp</id><username>%s</username><password>%s</password></server></servers>%s</settings>\n",
		c.user, c.password, more)
}

func mavenBehindProxy(_ *testing.T, c *company) given {
	return given{secrets: map[string]string{"~/.m2/settings.xml": mavenSettings(c, "")}}
}

func mavenAtMirror(c *company) given {
	mirror := "<mirrors><mirror><id>corp</id><mirrorOf>*</mirrorOf><url>" + c.mirrors[mavenHost] + "/</url></mirror></mirrors>"
	return given{secrets: map[string]string{"~/.m2/settings.xml": mavenSettings(c, mirror)}}
}

// Debian's Gradle is 4.4.1.
func corpGradle(t *testing.T) []peer.Entry {
	t.Helper()
	const script = `apply plugin: 'java'
repositories {
	maven {
		url 'https://` + mavenHost + `/'
		if (project.hasProperty('corpUser')) {
			credentials {
				username corpUser
				password corpPassword
			}
		}
	}
	mavenCentral()
}
dependencies {
	compile 'test.example:greeting:1.2'
	compile 'javax.inject:javax.inject:1'
}
jar {
	archiveName = 'chaincode.jar'
	manifest { attributes 'Main-Class': 'Main' }
	from { configurations.runtimeClasspath.collect { it.isDirectory() ? it : zipTree(it) } }
}
task shadowJar { dependsOn jar }
`
	return source("src/build.gradle", script, "src/settings.gradle", "rootProject.name = 'x'\n", "src/src/main/java/Main.java", javaMain,
		"src/src/main/resources/salt.txt", rand.Text(), "src/salt.txt", rand.Text())
}

func gradleBehindProxy(_ *testing.T, c *company) given {
	return given{secrets: map[string]string{"~/.gradle/gradle.properties": fmt.Sprintf("corpUser=%s\ncorpPassword=%s\n", c.user, c.password)}}
}

// An init script replaces the repositories of every build.
func gradleAtMirror(c *company) given {
	const script = `allprojects {
	afterEvaluate {
		repositories.clear()
		repositories.maven {
			url '%s/'
			credentials {
				username '%s'
				password '%s'
			}
		}
	}
}
`
	return given{secrets: map[string]string{"~/.gradle/init.gradle": fmt.Sprintf(script, c.mirrors[mavenHost], c.user, c.password)}}
}

// checkJava checks the exit status alone for Maven, whose jar has no dependencies in it: without these the package does not build.
func checkJava(t *testing.T, p *testPeer, id string) {
	t.Helper()
	said := p.printed(t, id)
	assert.Contains(t, said, metadata.ShortID(id)+" | says ")
	if strings.Contains(p.said("build"), "BUILD SUCCESSFUL") { // Gradle's words
		assert.Contains(t, said, " | says hello\n")
	}
}
