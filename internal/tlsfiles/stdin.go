// SPDX-License-Identifier: Apache-2.0

package tlsfiles

import (
	"fmt"
	"strings"
)

// MaxInput is the limit of Input in bytes: every engine accepts that many for a container that does not run yet.
const MaxInput = 32 << 10

// Shells lists the file names of shells in which printf is a built-in, so that no key is ever an argument of a process.
var Shells = []string{"ash", "bash", "busybox", "dash", "sh"}

// receiveScript creates the files from Input, then replaces itself with the chaincode. Its arguments are the directory and
// the chaincode's command. It reads no further than the last file, so the input may stay open: a shell reads byte by byte.
//
// The files belong to the user that the container runs as, and have the same modes as in the archive.
const receiveScript = `(
	cd "$1" || exit
	for file in %s; do
		umask "${file%%%%:*}"
		while IFS= read -r line; do
			case $line in
			+*) printf '%%s\n' "${line#+}" || exit ;;
			-*) printf %%s "${line#-}" || exit ;;
			*) continue 2 ;;
			esac
		done >"${file#*:}"
		echo "cannot write the TLS files to $1: it is not writable, or the connection to the engine was lost before all files arrived" >&2
		exit 1
	done
) || exit
shift
exec "$@" </dev/null
`

// Input returns the files in the form that [WrapCommand] reads. Each line of a file follows a +, or a - if the line has no
// newline. An empty line ends the file.
func (m Material) Input() []byte {
	var input strings.Builder
	for _, f := range files {
		for line := range strings.Lines(f.content(m)) {
			if strings.HasSuffix(line, "\n") {
				input.WriteString("+" + line)
			} else {
				input.WriteString("-" + line + "\n")
			}
		}
		input.WriteString("\n")
	}
	return []byte(input.String())
}

// WrapCommand returns a command that reads Input from its standard input, writes the files to dir, and then replaces itself
// with command. It needs one of Shells at /bin/sh, and write access to dir.
func WrapCommand(dir string, keys KeyMode, command []string) []string {
	var specs []string
	for _, f := range files {
		specs = append(specs, fmt.Sprintf("%03o:%s", 0o777&^f.mode(keys), f.name))
	}
	script := fmt.Sprintf(receiveScript, strings.Join(specs, " "))
	return append([]string{"/bin/sh", "-c", script, "receive-tls-files", dir}, command...)
}
