package platform

import (
	"slices"
	"strings"

	"fabric-builder-docker/internal/metadata"
)

// nodeStartScript is the script of the official image that starts a chaincode: npm start.
const nodeStartScript = "/chaincode/start.sh"

// knownStartScripts are those of the official images, all since 2.0.
var knownStartScripts = []string{"106a9deba16e0f11e0fc26a504165d8b9aa05283802cfcba29d931f6ca12d3b7"}

// shimCommand is the start script of nearly every Node chaincode, and the command that npm would find for it.
const (
	shimCommand = "fabric-chaincode-node"
	shimStart   = shimCommand + " start"
)

// nodeStart is the command of the chaincode's container. Its arguments are the peer's address and, where the package
// can be started without npm, the known start scripts, and the package's name and version for the variables that npm
// sets. npm takes longer to start than the chaincode, so the shim's command is called directly where npm would do
// nothing else.
//
// Between the container's first process and node stand a shell or two and npm, which end at SIGTERM at once, and with
// the first process the container: node would be killed before it could do anything. So this shell stays until nobody
// else is left. An init hands the signal to all; without one this shell is process 1 and does it. The shim's command
// takes the shell's place under an init: then node gets the signal itself.
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
	while kill -0 -1 2>/dev/null; do
		sleep 0.02
	done
fi
exit $status
`

// npmStart says whether npm would do no more than call the shim's command: nothing before or after it, and no setting
// that changes how. What the image's start script does is seen when the chaincode is started.
func (r request) npmStart(m npmManifest) *metadata.NPMStart {
	if m.invalid != "" || m.Scripts["start"] != shimStart || m.script("prestart", "poststart") != "" || !r.plainNPMRC() {
		return nil
	}
	return &metadata.NPMStart{Name: m.Name, Version: m.Version}
}

func startNode(l launch) []string {
	command := []string{"/bin/sh", "-c", nodeStart, "start", l.peerAddress}
	npm := l.record.NPMStart
	if npm == nil {
		return command
	}
	known := slices.Concat(knownStartScripts, l.settings.Builder.Node.KnownScripts)
	return append(command, strings.Join(known, " "), npm.Name, npm.Version)
}
