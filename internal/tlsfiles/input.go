package tlsfiles

import (
	"fmt"
	"strings"
)

// MaxInput is how many bytes of Input every engine takes for a container that does not run yet.
const MaxInput = 32 << 10

// Shells are those that have a printf of their own, so that no key is ever an argument of a process: by the names of
// their programs.
var Shells = []string{"ash", "bash", "busybox", "dash", "sh"}

// receive is a script that makes the files out of Input, and becomes the chaincode. Its arguments are the directory and
// the chaincode's command. It reads no further than the last file, so that nobody has to close the input: a shell reads
// byte by byte.
//
// The files belong to whom the container runs as, and have the modes of the archive.
const receive = `(
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
		echo "the TLS files are not in $1: it cannot be written, or the connection to the engine was lost before they came" >&2
		exit 1
	done
) || exit
shift
exec "$@" </dev/null
`

// Input is the files for a container whose command is one of Receive: of each file its lines, after + or, where no
// newline follows, after -; then an empty line.
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

// Receive is a command that takes Input from its standard input, leaves the files in dir, and becomes command. It needs
// a shell at /bin/sh, and a dir that it may write to.
func Receive(dir string, command []string) []string {
	var wanted []string
	for _, f := range files {
		wanted = append(wanted, fmt.Sprintf("%03o:%s", 0o777&^f.mode, f.name))
	}
	script := fmt.Sprintf(receive, strings.Join(wanted, " "))
	return append([]string{"/bin/sh", "-c", script, "receive-tls-files", dir}, command...)
}
