package platform

import "fabric-builder-docker/internal/config"

// javaTarget is where the image's start script looks for the chaincode.
const javaTarget = "/root/chaincode-java/chaincode"

// javaManifests are what the image's build.sh looks for. A jar is good enough for it.
var javaManifests = []string{"build.gradle", "build.gradle.kts", "pom.xml", "*.jar"}

// javaBuild calls the image's build.sh, in the image's working directory. A build lasts for seconds, so Maven's JVM does
// not compile what it runs as hard as it could, and collects garbage in one thread. What the image or the operator has
// in MAVEN_OPTS comes later and wins.
const javaBuild = `export MAVEN_OPTS="-XX:+IgnoreUnrecognizedVMOptions -XX:TieredStopAtLevel=1 -XX:+UseSerialGC${MAVEN_OPTS:+ $MAVEN_OPTS}"
exec ./build.sh
`

// planJava leaves everything to the image's build.sh. Both tools run code that they
// download, so versions of one chaincode share their caches with nobody else, and build one at a time.
func planJava(r request) (Plan, error) {
	r = r.rooted(javaManifests...)
	image := Image{r.settings.Chaincode.Java.Runtime, "chaincode.java.runtime"}
	plan := Plan{
		Builder:     image,
		Runtime:     image,
		Command:     []string{"/bin/sh", "-c", javaBuild},
		Environment: r.environ.pick(proxies...),
		Rooted:      r.atRoot,
		Executables: []string{"src/gradlew", "src/mvnw"}, // the peer's CLI drops the bit
		Target:      javaTarget,
	}
	if scope := r.labelled("java"); scope != "" && r.settings.Builder.Cache.Scope != config.CacheOff {
		plan.Serial = scope
		plan.Caches = []Cache{{scope + "-m2", "/root/.m2"}, {scope + "-gradle", "/root/.gradle"}}
	}
	return plan, nil
}

func startJava(l launch) []string {
	return []string{"/root/chaincode-java/start", "--peerAddress", l.peerAddress}
}
