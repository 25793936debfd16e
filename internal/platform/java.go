package platform

// javaTarget is the directory in which the image's start script expects the chaincode.
const javaTarget = "/root/chaincode-java/chaincode"

// javaManifests lists the files that the image's build.sh looks for. Any one of them is enough.
var javaManifests = []string{"build.gradle", "build.gradle.kts", "pom.xml", "*.jar"}

// javaBuild is the script of the build container. It runs the image's build.sh in the image's working directory. Since a
// build takes only seconds, the script tells Maven's JVM to use the fast compiler and the serial garbage collector. It
// sets no options if the operator, the image or the package sets any, because a JVM that is told to use two garbage
// collectors does not start.
const javaBuild = `others=$MAVEN_OPTS$JAVA_TOOL_OPTIONS$JDK_JAVA_OPTIONS$_JAVA_OPTIONS$(cat .mvn/jvm.config ` + InputDir + `/.mvn/jvm.config ` + InputDir + `/src/.mvn/jvm.config 2>/dev/null)
if [ -z "$others" ]; then
	export MAVEN_OPTS="-XX:+IgnoreUnrecognizedVMOptions -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
fi
exec ./build.sh
`

// planJava plans a java package, which the image's build.sh builds. The plan has no cache: Maven and Gradle run the
// package's code, so through a cache one package could change the build of another.
func planJava(r request) (Plan, error) {
	r = r.findCode(javaManifests...)
	image := Image{r.settings.Chaincode.Java.Runtime, "chaincode.java.runtime"}
	return Plan{
		Builder:     image,
		Runtime:     image,
		Command:     []string{"/bin/sh", "-c", javaBuild},
		Environment: r.buildEnvironment(proxies...),
		CodeAtRoot:  r.atRoot,
		Executables: []string{"src/gradlew", "src/mvnw"}, // the peer CLI drops the execute bit
		Target:      javaTarget,
	}, nil
}

func startJava(l launch) []string {
	return []string{"/root/chaincode-java/start", "--peerAddress", l.peerAddress}
}
