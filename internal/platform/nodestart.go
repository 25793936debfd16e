// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"cmp"
	"regexp"
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

// plainStart matches a start script that does no more than run the shim's command in a shell: after set -x and the like,
// variables and exec, and with options behind it. All words mean themselves to every shell.
var plainStart = regexp.MustCompile(`^((?:set -[eux]+ *(?:&&|;) *)*(?:[A-Za-z_][A-Za-z0-9_]*=` + plainWord + `* +)*)(?:exec +)?(` +
	shimCommand + ` +start(?: +` + plainWord + `+)*)$`)

// plainWord matches a character of a word in which a shell replaces nothing.
const plainWord = `[A-Za-z0-9_./:@%+,=-]`

// nodeStart is the script of the chaincode container. Its arguments are the peer's address and, if the package can be
// started without npm, the SHA-256 of the known start scripts, the name and version of the package, for the variables
// that npm sets, its start script, and what to run in place of that. Since npm takes longer to start than the chaincode, the
// script runs the shim's command without npm if npm would do nothing else.
//
// The first process of the container starts node through one or two shells and npm. These exit on SIGTERM at once, and
// the container would stop with its first process and kill node before it could shut down. This shell therefore waits
// until all other processes have exited. An init forwards the signal to all processes; without one, this shell is
// process 1 and does so itself. If the script runs the shim's command under an init, it uses exec, so that node receives
// the signal directly. So does the start script of the package, which a shell of its own runs: set -x would show the
// commands of this one, too.
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
	node=$(command -v node) # npm's settings for all users are beside it
	if [ -n "$npm_config_node_options$NPM_CONFIG_NODE_OPTIONS$npm_config_script_shell$NPM_CONFIG_SCRIPT_SHELL" ] ||
		grep -qsE '^[[:space:]]*(node-options|script-shell)' "$HOME/.npmrc" "${node%/*/*}/etc/npmrc"; then
		return 1
	fi
}
if direct "$@"; then
	cd ` + nodeTarget + `
	export PATH="` + nodeTarget + `/node_modules/.bin:$PATH" INIT_CWD=` + nodeTarget + `
	export npm_package_name="$3" npm_package_version="$4" npm_package_json=` + nodeTarget + `/package.json
	export npm_lifecycle_event=start npm_lifecycle_script="$5"
	if [ $$ -ne 1 ]; then
		exec /bin/sh -c "$6 \"\$@\"" start --peer.address "$1"
	fi
	/bin/sh -c "$6 \"\$@\"" start --peer.address "$1" &
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
// command in a shell: run scripts before or after it, or change how it runs because of a setting. The image's start script is
// checked when the chaincode starts.
func (r request) npmStart(m npmManifest) *metadata.NPMStart {
	script := m.Scripts["start"]
	if m.invalid != "" || m.Config || !isPlainStart(script) || m.firstScript("prestart", "poststart") != "" || !r.plainNPMRC() {
		return nil
	}
	start := &metadata.NPMStart{Name: m.Name, Version: m.Version}
	if script != shimStart {
		start.Script = script
	}
	return start
}

// isPlainStart reports whether a shell alone runs a start script as npm does. With another PATH, it may find another command.
func isPlainStart(script string) bool {
	return plainStart.MatchString(script) && !strings.Contains(script, "PATH=")
}

// execStart returns a start script that plainStart matches, with an exec before the shim's command.
func execStart(script string) string {
	parts := plainStart.FindStringSubmatch(script)
	if parts == nil { // not of this version
		return "exec " + shimStart
	}
	return parts[1] + "exec " + parts[2]
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
	run := cmp.Or(npm.Script, shimStart)
	return append(command, strings.Join(known, " "), npm.Name, npm.Version, run, execStart(run))
}
