// SPDX-License-Identifier: Apache-2.0

package platform

import "fmt"

// javaTarget is the directory in which the image's start script expects the chaincode.
const javaTarget = "/root/chaincode-java/chaincode"

// javaManifests lists the files that the image's build.sh looks for. Any one of them is enough.
var javaManifests = []string{"build.gradle", "build.gradle.kts", "pom.xml", "*.jar"}

// javaOptions tells Maven's JVM to use the fast compiler and the serial garbage collector, since a build takes only seconds. It
// sets no options if the operator, the image or the package sets any, because a JVM that is told to use two garbage collectors
// does not start.
const javaOptions = `others=$MAVEN_OPTS$JAVA_TOOL_OPTIONS$JDK_JAVA_OPTIONS$_JAVA_OPTIONS$(cat .mvn/jvm.config ` + InputDir + `/.mvn/jvm.config ` + InputDir + `/src/.mvn/jvm.config 2>/dev/null)
others=$others$(grep -hs '^[^#]*MAVEN_OPTS' /usr/local/etc/mavenrc /etc/mavenrc "$HOME/.mavenrc")
given="$MAVEN_OPTS $MAVEN_ARGS"
if [ -z "$others" ]; then
	export MAVEN_OPTS="-XX:+IgnoreUnrecognizedVMOptions -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
fi
`

// javaSkipsCompiler tells Maven to compile nothing. See [mavenFiles.skipCompiler].
const javaSkipsCompiler = `export MAVEN_OPTS="$MAVEN_OPTS -Dmaven.main.skip=true"
`

// javaLists begins to note what a build downloads. When it has ended, listing writes that to [DownloadsFile], as
// [ParseDownloads] describes. It looks only into directories that the image and the operator choose. A file counts as new by the
// time of its last change, since unpacked files keep older dates; BusyBox's find cannot tell that time.
const javaLists = javaGiven + `stores() {
	user=$(id -un 2>/dev/null) && eval "known=~$user"
	for home in "$HOME" "$known"; do
		echo "maven $home/.m2/repository"
		echo "tool ${MAVEN_USER_HOME:-$home/.m2}/wrapper"
		gradle=${GRADLE_USER_HOME:-$home/.gradle}
		echo "tool $gradle/wrapper/dists"
		echo "tool $gradle/jdks"
		for dir in "$gradle"/caches/modules-*; do
			echo "gradle $dir"
		done
		for settings in "$home/.m2/settings.xml" "${MAVEN_HOME:-/usr/share/maven}/conf/settings.xml"; do
			sed -n 's|.*<localRepository>\(.*\)</localRepository>.*|maven \1|p' "$settings" 2>/dev/null | sed "s|[$]{user.home}|$home|"
		done
	done
	for option in $given; do
		case $option in -Dmaven.repo.local=*) echo "maven ${option#*=}" ;; esac
	done
}
downloads() {
	echo "status $1"
	newer=-cnewer
	find "$began" -cnewer "$began" >/dev/null 2>&1 || newer=-newer
	stores | sort -u | while read -r kind dir; do
		case $dir in /?*) ;; *) continue ;; esac
		dir=$(cd -P "$dir" 2>/dev/null && pwd -P) || continue
		echo "$kind $dir"
		find "$dir" -type f $newer "$began" | sed 's/^/file /'
		find "$dir" -name _remote.repositories $newer "$began" -exec grep -l '>=$' '{}' + | sed 's/^/installed /'
		while [ "$dir" != / ]; do
			dir=$(dirname "$dir")
			stat -c 'parent %a %u %g %n' "$dir"
		done
	done
}
listing() { # status
	downloads "$1" >` + DownloadsFile + ` 2>/dev/null
}
began=` + CacheDir + `/began
true >"$began"
`

// javaBuild is the script of the build container, which runs the image's build.sh in the image's working directory.
const javaBuild = javaOptions + javaLists + `./build.sh
status=$?
listing $status
exit $status
`

// javaResolve returns the script of the container that downloads the dependencies. That build.sh fails is no error: what it
// builds from is not all there.
func javaResolve(files mavenFiles) string {
	script := javaOptions
	if files.skipCompiler() {
		script += javaSkipsCompiler
	}
	script += javaLists + "status=\n"
	if files.endAtShade() {
		script += javaUntilShade
	}
	return script + `if [ -z "$status" ]; then
	./build.sh
	status=$?
fi
listing $status
exit 0
`
}

// javaUntilShade runs build.sh, and sets status. It does not await its end if Maven's shade plugin begins to put the jar of the
// last module together, and Maven's plan for that module has nothing after it: what is left of the build dies with the container.
// It does if Maven takes a file whose checksum is not right, since the plugin is what would notice that the file is no jar.
//
// Nor does it await the end of the output, which a process that build.sh leaves in the background may hold open. Without mkfifo it
// does nothing. Maven's plan is not printed: it shows the configuration of plugins, which may hold passwords.
const javaUntilShade = `output=` + CacheDir + `/output
ended="build.sh ended with status "
follow() { # prints the output, and sets status
	module= plan= shades= after= whole=
	while IFS= read -r line; do
		case $line in
		*"$ended"*)
			status=${line##*"$ended"} line=${line%"$ended"*}
			[ -z "$line" ] || printf '%s\n' "$line"
			break
			;;
		"[DEBUG] "*" PROJECT BUILD PLAN "*) plan=1 shades= after= ;;
		"[DEBUG] Goal: "*:maven-shade-plugin:*) shades=1 ;;
		"[DEBUG] Goal: "*) after=$shades ;;
		"[DEBUG] "*) plan=1 ;;
		"[INFO] "* | "[WARNING] "* | "[ERROR] "*) plan= ;;
		esac
		[ -n "$plan" ] || printf '%s\n' "$line"
		case $line in
		"[INFO] Reactor Build Order:"*) module=0/1 ;; # Maven before 3.5 does not count the modules
		"[INFO] Building "*" ["*/*]) module=${line##*[} module=${module%]} ;;
		*"[WARNING] "*ntegrity* | *"[WARNING] "*hecksum* | *" with a thread count of "*) whole=1 ;;
		"[INFO] Including "*" in the shaded jar.")
			if [ -n "$shades" ] && [ -z "$after$whole" ] && [ "${module%/*}" = "${module#*/}" ]; then
				echo "all dependencies are there: the build without the code ends here"
				status=0
				break
			fi
			;;
		esac
	done
	case $status in '' | *[!0-9]*) status=1 ;; esac
}
export MAVEN_OPTS="$MAVEN_OPTS -Dorg.slf4j.simpleLogger.log.org.apache.maven.lifecycle.internal.LifecycleDebugLogger=debug"
if mkfifo "$output"; then
	{ ./build.sh; echo "$ended$?"; } >"$output" &
	follow <"$output"
fi
`

// planJava plans a java package, which the image's build.sh builds. The plan has no cache volume: Maven and Gradle run the
// package's code, so through a cache one package could change the build of another.
func planJava(r request) (Plan, error) {
	r = r.findCode(javaManifests...)
	image := Image{r.settings.Chaincode.Java.Runtime, "chaincode.java.runtime"}
	snapshot, noSnapshotReason := r.javaSnapshot()
	return Plan{
		Builder:          image,
		Runtime:          image,
		Command:          []string{"/bin/sh", "-c", javaBuild},
		Environment:      r.buildEnvironment(proxies...),
		DigestInputs:     []string{fmt.Sprintf("builder.snapshots=%t", r.settings.Builder.Snapshots)}, // versions may be ranges
		CodeAtRoot:       r.atRoot,
		Executables:      []string{"src/gradlew", "src/mvnw"}, // the peer CLI drops the execute bit
		Caches:           []Cache{{Path: CacheDir}},
		Target:           javaTarget,
		Snapshot:         snapshot,
		NoSnapshotReason: noSnapshotReason,
		Unpinned:         r.unpinnedJava(),
	}, nil
}

func startJava(l launch) []string {
	return []string{"/root/chaincode-java/start", "--peerAddress", l.peerAddress}
}
