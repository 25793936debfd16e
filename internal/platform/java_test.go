package platform_test

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
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
	got, err := platform.For(pkg, source("src/pom.xml", "src/mvnw"), settings, []string{"GOFLAGS=-x", "HTTPS_PROXY=http://proxy:3128"})
	require.NoError(t, err)
	require.Len(t, got.Command, 5)
	assert.Equal(t, []string{"/bin/sh", "-c"}, got.Command[:2])
	assert.Equal(t, []string{"build", "/root/.m2/.fabric-builder-docker"}, got.Command[3:])
	got.Command = nil
	assert.Equal(t, platform.Plan{
		Type:        "java",
		Builder:     platform.Image{Name: "example/javaenv:1", Setting: "chaincode.java.runtime"},
		Runtime:     platform.Image{Name: "example/javaenv:1", Setting: "chaincode.java.runtime"},
		Environment: []string{"HTTPS_PROXY=http://proxy:3128"},
		Executables: []string{"src/gradlew", "src/mvnw"},
		Caches:      []platform.Cache{{Name: "java-basic-m2", Path: "/root/.m2"}, {Name: "java-basic-gradle", Path: "/root/.gradle"}},
		Serial:      "java-basic",
		Target:      "/root/chaincode-java/chaincode",
		Level:       "3.1",
	}, got)
}

// The image's script decides, with options for Maven's JVM that others may override.
func TestJavaBuildScript(t *testing.T) { eachShell(t, testJavaBuildScript) }

func testJavaBuildScript(t *testing.T) {
	b := newBox(t)
	b.file("/build.sh", "#!/bin/sh\necho \"$MAVEN_OPTS\" >&2\nexit 255\n", 0o755)
	command := plan(t, metadata.Package{Type: "java"}, source("src/pom.xml")).Command
	const ours = "-XX:+IgnoreUnrecognizedVMOptions -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
	status, stderr, _ := b.run(command)
	assert.Equal(t, 255, status)
	assert.Equal(t, ours+"\n", stderr)
	command[2] = "MAVEN_OPTS=-Xmx1g\n" + command[2]
	_, stderr, _ = b.run(command)
	assert.Equal(t, ours+" -Xmx1g\n", stderr)
}

const (
	java17 = `JAVA_RUNTIME_VERSION="17.0.19+10"` + "\n" + `JAVA_VERSION="17.0.19"` + "\n"
	java21 = `JAVA_VERSION="21.0.2"` + "\n"
)

// mavenJVM plays build.sh and the JVM of Maven: it notes what it is told about archives of classes, and leaves one.
const mavenJVM = `#!/bin/sh
for option in $MAVEN_OPTS; do
	case $option in
	-XX:ArchiveClassesAtExit=*) echo made >>ROOT/calls; echo "some classes" >"${option#*=}" ;;
	-XX:SharedArchiveFile=*) echo "used: $(cat "${option#*=}")" >>ROOT/calls ;;
	esac
done
`

// What a JVM has made of Maven's classes is kept for the next build, if it is whole and of the same JVM.
func TestJavaBuildsShareAnArchiveOfClasses(t *testing.T) {
	eachShell(t, testJavaBuildsShareAnArchiveOfClasses)
}

func testJavaBuildsShareAnArchiveOfClasses(t *testing.T) {
	const used = "used: some classes"
	const shares, cannot = "exit 0", "exit 1"
	type build struct{ release, script, java string }
	built := build{java17, mavenJVM, shares}
	for name, test := range map[string]struct {
		first  build
		damage string // shell, in the directory of the archive
		others string // shell, ahead of the script
		second build
		calls  []string
		kept   int // files in the directory at the end
	}{
		"again":                   {first: built, second: built, calls: []string{"made", used}, kept: 2},
		"another JVM":             {first: built, second: build{java21, mavenJVM, shares}, calls: []string{"made", "made"}, kept: 2},
		"cut short":               {first: built, damage: `for f in *; do case $f in *.size) ;; *) printf s >$f ;; esac; done`, second: built, calls: []string{"made", "made"}, kept: 2},
		"without its size":        {first: built, damage: "rm *.size", second: built, calls: []string{"made", "made"}, kept: 2},
		"a build that fails":      {first: build{java17, mavenJVM + "exit 7\n", shares}, second: built, calls: []string{"made", "made"}, kept: 2},
		"a JVM that dies of it":   {first: built, second: build{java17, mavenJVM + "exit 134\n", shares}, calls: []string{"made", used}},
		"no Maven":                {first: build{java17, "#!/bin/sh\n", shares}, second: build{java17, "#!/bin/sh\n", shares}},
		"a JVM that shares none":  {first: build{java17, mavenJVM, cannot}, second: build{java17, mavenJVM, cannot}},
		"options of others":       {first: built, others: "MAVEN_OPTS=-Xshare:off\n", second: built},
		"the package's options":   {first: built, others: "mkdir -p " + platform.InputDir + "/.mvn; echo -Xshare:off >" + platform.InputDir + "/.mvn/jvm.config\n", second: built},
		"a JVM that has none yet": {first: build{`JAVA_VERSION="11.0.2"`, mavenJVM, shares}, second: build{`JAVA_VERSION="1.8.0_1"`, mavenJVM, shares}},
		"nothing known of it":     {first: build{"", mavenJVM, shares}, second: build{"", mavenJVM, shares}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			classes := b.path("/m2/classes")
			command := plan(t, metadata.Package{Type: "java", Label: "basic_1.0"}, source("src/pom.xml")).Command
			command[2], command[4] = "JAVA_HOME=ROOT/jdk\n"+test.others+command[2], classes
			var calls []string
			for i, made := range []build{test.first, test.second} {
				b.file("/jdk/release", made.release, 0o644)
				b.file("/jdk/bin/java", "#!/bin/sh\n"+made.java+"\n", 0o755)
				b.file("/build.sh", made.script, 0o755)
				var status int
				var stderr string
				status, stderr, calls = b.run(command)
				_, failure, fails := strings.Cut(made.script, "\nexit ")
				assert.Equal(t, fails, status != 0)
				if fails {
					assert.Equal(t, strings.TrimSpace(failure), strconv.Itoa(status), "it is the build's own")
				}
				assert.Empty(t, stderr)
				if i == 0 && test.damage != "" {
					damage := exec.Command("/bin/sh", "-c", test.damage)
					damage.Dir = classes
					require.NoError(t, damage.Run())
				}
			}
			assert.Equal(t, test.calls, calls)
			kept, _ := os.ReadDir(classes)
			assert.Len(t, kept, test.kept)
		})
	}
}

func TestJavaWithoutCaches(t *testing.T) {
	off := config.Defaults()
	off.Builder.Cache.Scope = config.CacheOff
	for name, test := range map[string]struct {
		label    string
		settings config.Settings
	}{"off": {"basic_1.0", off}, "without a label": {"", config.Defaults()}} {
		t.Run(name, func(t *testing.T) {
			got, err := platform.For(metadata.Package{Type: "java", Label: test.label}, source("src/pom.xml"), test.settings, nil)
			require.NoError(t, err)
			assert.Empty(t, got.Caches)
			assert.Len(t, got.Command, 4, "nor is there a place for classes")
			assert.Empty(t, got.Serial, "nothing to wait for")
		})
	}
}

// Java keeps its sources in a src of their own: only the manifests tell whether src/ is the package's or the code's.
func TestWhereTheCodeOfAHandMadePackageStands(t *testing.T) {
	tests := map[string]struct {
		typ    string
		files  []string
		rooted bool
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
		"node, with a src of its own":    {"node", []string{"package.json", "src/index.ts"}, true},
		"node, META-INF is no code":      {"node", []string{"package.json", "META-INF/x.json"}, true},
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
			assert.Equal(t, test.rooted, plan(t, metadata.Package{Type: test.typ}, files).Rooted)
		})
	}
}
