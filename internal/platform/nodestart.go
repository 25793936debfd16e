package platform

import (
	"slices"
	"strings"

	"fabric-builder-docker/internal/metadata"
)

// nodeStartScript is the start script of the official Node image. It runs npm start.
const nodeStartScript = "/chaincode/start.sh"

// knownStartScripts lists the SHA-256 of the start scripts of the official images. All images since 2.0 have the same.
var knownStartScripts = []string{"106a9deba16e0f11e0fc26a504165d8b9aa05283802cfcba29d931f6ca12d3b7"}

// The start script in the package.json of nearly every Node chaincode, and the shim's command that it runs.
const (
	shimCommand = "fabric-chaincode-node"
	shimStart   = shimCommand + " start"
)

// nodeStart is the script of the chaincode container. Its arguments are the peer's address and, if the package can be
// started without npm, the SHA-256 of the known start scripts and the name and version of the package, for the variables
// that npm sets. Since npm takes longer to start than the chaincode, the script runs the shim's command directly if npm
// would do nothing else.
//
// The first process of the container starts node through one or two shells and npm. These exit on SIGTERM at once, and
// the container would stop with its first process and kill node before it could shut down. This shell therefore waits
// until all other processes have exited. An init forwards the signal to all processes; without one, this shell is
// process 1 and does so itself. If the script runs the shim's command under an init, it uses exec, so that node receives
// the signal directly.
const nodeStart = `stop=
trap 'stop=yes; if [ $$ -eq 1 ]; then kill -TERM -1; fi' TERM
direct() {
	if [ -z "$2" ] || [ ! -x ` + nodeTarget + `/node_modules/.bin/` + shimCommand + ` ]; then
		return 1
	fi
	if [ -x ` + nodeStartScript + ` ]; then
		sum=$(sha256sum ` + nodeStartScript + `) || return 1
		case " $2 " in
		*" ${sum%% *} "*) ;;
		*) return 1 ;;
		esac
	fi
}
if direct "$@"; then
	cd ` + nodeTarget + `
	export PATH="` + nodeTarget + `/node_modules/.bin:$PATH" INIT_CWD=` + nodeTarget + `
	export npm_package_name="$3" npm_package_version="$4" npm_package_json=` + nodeTarget + `/package.json
	export npm_lifecycle_event=start npm_lifecycle_script="` + shimStart + `"
	if [ $$ -ne 1 ]; then
		exec ` + shimStart + ` --peer.address "$1"
	fi
	` + shimStart + ` --peer.address "$1" &
elif [ -x ` + nodeStartScript + ` ]; then
	` + nodeStartScript + ` --peer.address "$1" &
else
	cd ` + nodeTarget + `
	npm start -- --peer.address "$1" &
fi
wait $!
status=$?
if [ -n "$stop" ]; then
	wait $!
	status=$?
` + awaitOthers + `fi
exit $status
`

// awaitOthers waits until the script's is the only process in the container.
const awaitOthers = `	while kill -0 -1 2>/dev/null; do
		sleep 0.02
	done
`

// npmStart returns what is needed to start the package without npm, or nil if npm would do more than run the shim's
// command: run scripts before or after it, or change how it runs because of a setting. The image's start script is
// checked when the chaincode starts.
func (r request) npmStart(m npmManifest) *metadata.NPMStart {
	if m.invalid != "" || m.Scripts["start"] != shimStart || m.firstScript("prestart", "poststart") != "" || !r.plainNPMRC() {
		return nil
	}
	return &metadata.NPMStart{Name: m.Name, Version: m.Version}
}

func startNode(l launch) []string {
	script := nodeStart
	if mode := l.settings.VM.Docker.HostConfig.PidMode; mode != "" && mode != "private" { // the others are also the host's
		script = strings.Replace(script, awaitOthers, "", 1)
	}
	command := []string{"/bin/sh", "-c", script, "start", l.peerAddress}
	npm := l.record.NPMStart
	if npm == nil {
		return command
	}
	known := slices.Concat(knownStartScripts, l.settings.Builder.Node.KnownScripts)
	return append(command, strings.Join(known, " "), npm.Name, npm.Version)
}
