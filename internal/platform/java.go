package platform

// javaTarget is where the image's start script looks for the chaincode.
const javaTarget = "/root/chaincode-java/chaincode"

// javaManifests are what the image's build.sh looks for. A jar is good enough for it.
var javaManifests = []string{"build.gradle", "build.gradle.kts", "pom.xml", "*.jar"}

// javaBuild calls the image's build.sh, in the image's working directory. A build lasts for seconds, so Maven's JVM does
// not compile what it runs as hard as it could, and collects garbage in one thread; unless anybody else has options for
// a JVM: two choices of a collector end every build.
const javaBuild = `others=$MAVEN_OPTS$JAVA_TOOL_OPTIONS$JDK_JAVA_OPTIONS$_JAVA_OPTIONS$(cat .mvn/jvm.config ` + InputDir + `/.mvn/jvm.config ` + InputDir + `/src/.mvn/jvm.config 2>/dev/null)
if [ -z "$others" ]; then
	export MAVEN_OPTS="-XX:+IgnoreUnrecognizedVMOptions -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
fi
exec ./build.sh
`

// planJava leaves everything to the image's build.sh. Maven and Gradle run the package's code, so what one package's
// build could write is shared with no other: it has no cache.
func planJava(r request) (Plan, error) {
	r = r.rooted(javaManifests...)
	image := Image{r.settings.Chaincode.Java.Runtime, "chaincode.java.runtime"}
	return Plan{
		Builder:     image,
		Runtime:     image,
		Command:     []string{"/bin/sh", "-c", javaBuild},
		Environment: r.given(proxies...),
		CodeAtRoot:  r.atRoot,
		Executables: []string{"src/gradlew", "src/mvnw"}, // the peer's CLI drops the bit
		Target:      javaTarget,
	}, nil
}

func startJava(l launch) []string {
	return []string{"/root/chaincode-java/start", "--peerAddress", l.peerAddress}
}
