package platform

import "fabric-builder-docker/internal/config"

// javaTarget is where the image's start script looks for the chaincode.
const javaTarget = "/root/chaincode-java/chaincode"

// javaManifests are what the image's build.sh looks for. A jar is good enough for it.
var javaManifests = []string{"build.gradle", "build.gradle.kts", "pom.xml", "*.jar"}

// javaBuild calls the image's build.sh, in the image's working directory. A build lasts for seconds, so Maven's JVM does
// not compile what it runs as hard as it could, and collects garbage in one thread. What the image or the operator has
// in MAVEN_OPTS comes later and wins.
//
// Its argument is a directory of the cache. The first build that ends well leaves there what its JVM has made of the
// classes it has loaded, and later builds start with that: a thirteenth of the time less, for a second once and 26 MB. A JVM
// passes over an archive of another JVM, but dies of one that is cut short, so the size stands beside it; and one that
// is told not to share classes, or has none of its own to share, does not start. So it is tried, and left alone where
// anybody else has options for it.
const javaBuild = `options="-XX:+IgnoreUnrecognizedVMOptions -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
archive=
home=${JAVA_HOME:-$(dirname "$(dirname "$(readlink -f "$(command -v java)")")")}
others=$MAVEN_OPTS$JAVA_TOOL_OPTIONS$JDK_JAVA_OPTIONS$_JAVA_OPTIONS$(cat ` + InputDir + `/.mvn/jvm.config ` + InputDir + `/src/.mvn/jvm.config 2>/dev/null)
if [ -n "$1" ] && [ -z "$others" ] && grep -Eq '^JAVA_VERSION="(1[3-9]|[2-9][0-9])' "$home/release" 2>/dev/null; then
	archive=$1/$(cksum <"$home/release" | cut -d ' ' -f 1)
	if [ -f "$archive" ] && [ "$(wc -c <"$archive")" = "$(cat "$archive.size" 2>/dev/null)" ]; then
		options="$options -XX:SharedArchiveFile=$archive"
	else
		rm -rf "$1"
		mkdir -p "$1"
		record="-XX:ArchiveClassesAtExit=$archive.new -Xlog:disable -Xlog:all=error" # hundreds of warnings
		if "$home/bin/java" $options $record -version >/dev/null 2>&1; then
			options="$options $record"
		fi
		rm -f "$archive.new"
	fi
fi
export MAVEN_OPTS="$options${MAVEN_OPTS:+ $MAVEN_OPTS}"
./build.sh
status=$?
if [ -n "$archive" ] && [ $status -ge 128 ]; then # a JVM that was killed, perhaps by what it was given
	rm -rf "$1"
fi
[ $status -eq 0 ] || exit $status
if [ -n "$archive" ] && [ -s "$archive.new" ]; then
	mv "$archive.new" "$archive"
	wc -c <"$archive" >"$archive.size"
fi
`

// planJava leaves everything to the image's build.sh. Both tools run code that they
// download, so versions of one chaincode share their caches with nobody else, and build one at a time.
func planJava(r request) (Plan, error) {
	r = r.rooted(javaManifests...)
	image := Image{r.settings.Chaincode.Java.Runtime, "chaincode.java.runtime"}
	plan := Plan{
		Builder:     image,
		Runtime:     image,
		Command:     []string{"/bin/sh", "-c", javaBuild, "build"},
		Environment: r.environ.pick(proxies...),
		Rooted:      r.atRoot,
		Executables: []string{"src/gradlew", "src/mvnw"}, // the peer's CLI drops the bit
		Target:      javaTarget,
	}
	if scope := r.labelled("java"); scope != "" && r.settings.Builder.Cache.Scope != config.CacheOff {
		plan.Serial = scope
		plan.Caches = []Cache{{scope + "-m2", "/root/.m2"}, {scope + "-gradle", "/root/.gradle"}}
		plan.Command = append(plan.Command, "/root/.m2/.fabric-builder-docker")
	}
	return plan, nil
}

func startJava(l launch) []string {
	return []string{"/root/chaincode-java/start", "--peerAddress", l.peerAddress}
}
