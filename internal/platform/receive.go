// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"
)

// Places of what a build is given, in its container.
const (
	MemoryDir    = "/run/fabric-builder-docker" // a file system in memory
	CABundleFile = CacheDir + "/given-ca.pem"
)

// receiveScript puts the secrets into memory and links them to their places, then replaces itself with the build. Its arguments
// are the places, --, and the build's command. The links are made by the image's user, who needs to read the files.
//
// An engine that restarts before it starts the container loses the connection, and keeps the input open: the script would wait for
// ever. It is killed then, which needs an init.
//
// Tools that take one file of certificates take it in place of their own, so they get one with those of the image, too.
const receiveScript = `memory=` + MemoryDir + ` bundle=` + CABundleFile + ` count=0
fail() {
	echo "cannot give the build what builder.build says: $1" >&2
	exit 1
}
if [ "$1" != -- ]; then
	(
		(
			left=` + receiveTimeout + `
			while [ $left -gt 0 ]; do
				sleep 1
				if [ -e "$memory/received" ] || ! kill -0 $$; then
					exit
				fi
				left=$((left - 1))
			done
			echo "the secrets did not arrive within ` + receiveTimeout + ` seconds: the engine has probably restarted" >&3
			kill -9 $$
		) 3>&2 </dev/null >/dev/null 2>&1 &
	)
fi
while [ "$1" != -- ]; do
	count=$((count + 1)) place=$1
	IFS= read -r text || fail "the connection to the engine was lost before all secrets arrived"
	(umask 077 && printf '%s\n' "$text" | base64 -d >"$memory/$count") || fail "the image has no base64, or $memory is not writable"
	case $place in
	` + variablesPlace + `) . "$memory/$count" ;;
	*)
		case $place in
		"~/"*) place=$HOME/${place#"~/"} ;;
		esac
		parent=${place%/*}
		if [ -d "$place" ] || ! mkdir -p "${parent:-/}" || ! ln -sf "$memory/$count" "$place"; then
			fail "there can be no secret file at $place: $(id -un 2>/dev/null || id -u) may not write there, or it is a directory"
		fi
		;;
	esac
	shift
done
shift
if [ $count -gt 0 ]; then
	IFS= read -r text && [ "$text" = ` + endOfInput + ` ] || fail "the connection to the engine was lost before all secrets arrived"
	true >"$memory/received"
fi
if [ -f "$bundle" ]; then
	for system in "$SSL_CERT_FILE" /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem; do
		if [ -f "$system" ]; then
			break
		fi
	done
	for file in "$bundle" "$system" "$NODE_EXTRA_CA_CERTS" "$CURL_CA_BUNDLE" "$GIT_SSL_CAINFO"; do
		if [ -f "$file" ]; then
			cat "$file" && echo
		fi
	done >"$memory/ca.pem" || fail "$memory is not writable, or full"
	export SSL_CERT_FILE="$memory/ca.pem" NODE_EXTRA_CA_CERTS="$memory/ca.pem" CURL_CA_BUNDLE="$memory/ca.pem" GIT_SSL_CAINFO="$memory/ca.pem"
fi
exec "$@" </dev/null
`

// receiveTimeout is how long secrets may take to arrive, in seconds. They are sent before the container starts.
const receiveTimeout = "60"

// privateVariable is the variable that holds the names of those that may hold passwords.
const privateVariable = "FABRIC_BUILDER_PRIVATE"

const (
	variablesPlace = "variables" // in place of a secret's: a script that sets Variables
	endOfInput     = "end"
)

// IsZero reports whether a build is given nothing.
func (g Given) IsZero() bool {
	return len(g.Secrets) == 0 && len(g.Variables) == 0 && g.CABundle == nil
}

// Wrap returns a command that receives what is given, and then replaces itself with command. It needs base64 in the image, and
// a file system that it may write to at [MemoryDir].
func (g Given) Wrap(command []string) []string {
	if g.IsZero() {
		return command
	}
	wrapped := []string{"/bin/sh", "-c", receiveScript, "receive"}
	for _, secret := range g.Secrets {
		wrapped = append(wrapped, secret.Place)
	}
	if len(g.Variables) > 0 {
		wrapped = append(wrapped, variablesPlace)
	}
	return slices.Concat(wrapped, []string{"--"}, g.ahead, command)
}

// Input returns the secrets in the form that the script of [Given.Wrap] reads from its standard input: a line of base64 for
// each, and one that ends them. It is empty if there are none.
func (g Given) Input() []byte {
	var input bytes.Buffer
	for _, secret := range g.Secrets {
		input.WriteString(base64.StdEncoding.EncodeToString(secret.Content) + "\n")
	}
	if len(g.Variables) > 0 {
		input.WriteString(base64.StdEncoding.EncodeToString(g.setVariables()) + "\n")
	}
	if input.Len() > 0 {
		input.WriteString(endOfInput + "\n")
	}
	return input.Bytes()
}

// setVariables returns a shell script that sets Variables.
func (g Given) setVariables() []byte {
	var script bytes.Buffer
	names := ""
	for _, variable := range g.Variables {
		name, value, _ := strings.Cut(variable, "=")
		names += " " + name
		script.WriteString("export " + name + "='" + strings.ReplaceAll(value, "'", `'\''`) + "'\n")
	}
	script.WriteString("export " + privateVariable + "='" + names + "'\n")
	return script.Bytes()
}
