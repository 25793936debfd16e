// SPDX-License-Identifier: Apache-2.0

package tlsfiles_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"fabric-builder-docker/internal/tlsfiles"
	"fabric-builder-docker/test/shells"
)

// allShells returns the shells that images have: the official images have BusyBox's, others have dash or bash. Bash is
// included only if this machine has it.
func allShells(t *testing.T) []shells.Shell {
	t.Helper()
	found := shells.All(t)
	if bash, err := exec.LookPath("bash"); err == nil {
		found = append(found, shells.Shell{Name: "bash", Words: []string{bash, "--posix"}})
	}
	return found
}

// wrapped returns the command of WrapCommand, run by the given shell in place of /bin/sh.
func wrapped(t *testing.T, shell shells.Shell, dir string, command ...string) *exec.Cmd {
	t.Helper()
	words := tlsfiles.WrapCommand(dir, tlsfiles.KeyOfUser, command)
	require.Equal(t, "/bin/sh", words[0])
	return shell.Command(nil, words[1:]...)
}

// The files that come through the input have the same contents and modes as those in the archive.
func TestReceivedFilesAreTheArchives(t *testing.T) {
	odd := material()
	odd.RootCert = "subject=CN = ca, \\n %s \t \r\n\n  +plus\n-minus\n.\n" + strings.TrimSuffix(block("CERTIFICATE", "no newline at the end"), "\n")
	for name, m := range map[string]tlsfiles.Material{"plain": material(), "text around, CRLF, no newline at the end": odd} {
		for _, shell := range allShells(t) {
			t.Run(name+", "+shell.Name, func(t *testing.T) {
				dir := t.TempDir()
				cmd := wrapped(t, shell, dir, "sh", "-c", `echo "$0|$1"; umask; pwd; cat`, "a b", "c")
				cmd.Dir = t.TempDir()
				// The input stays open: the command must start nevertheless, and read nothing from it.
				input, err := cmd.StdinPipe()
				require.NoError(t, err)
				defer input.Close()
				var output bytes.Buffer
				cmd.Stdout, cmd.Stderr = &output, &output
				require.NoError(t, cmd.Start())
				_, err = input.Write(append(m.Input(), "not for the command\n"...))
				require.NoError(t, err)
				require.NoError(t, cmd.Wait(), output.String())

				umask, err := exec.Command("sh", "-c", "umask").Output()
				require.NoError(t, err)
				assert.Equal(t, "a b|c\n"+string(umask)+cmd.Dir+"\n", output.String())
				archive, err := m.Files(os.Getuid(), os.Getgid(), tlsfiles.KeyOfUser)
				require.NoError(t, err)
				names := []string{}
				for _, e := range unpack(t, archive) {
					names = append(names, e.header.Name)
					content, err := os.ReadFile(filepath.Join(dir, e.header.Name))
					require.NoError(t, err)
					assert.Equal(t, e.content, string(content), e.header.Name)
					info, err := os.Stat(filepath.Join(dir, e.header.Name))
					require.NoError(t, err)
					assert.Equal(t, e.header.FileInfo().Mode(), info.Mode(), e.header.Name)
				}
				entries, err := os.ReadDir(dir)
				require.NoError(t, err)
				assert.Len(t, entries, len(names))
			})
		}
	}
}

// If the connection is lost in the middle, chaincode must not start with half a key.
func TestNothingStartsWithoutAllOfTheInput(t *testing.T) {
	whole := material().Input()
	for _, shell := range allShells(t) {
		for name, length := range map[string]int{
			"none": 0, "part of a line": 10, "without the last empty line": len(whole) - 1, "without the last line": bytes.LastIndex(whole[:len(whole)-2], []byte("\n")) + 1,
		} {
			t.Run(shell.Name+", "+name, func(t *testing.T) {
				dir := t.TempDir()
				cmd := wrapped(t, shell, dir, "echo", "started")
				cmd.Stdin = bytes.NewReader(whole[:length])
				output, err := cmd.CombinedOutput()
				var failed *exec.ExitError
				require.ErrorAs(t, err, &failed)
				assert.Equal(t, 1, failed.ExitCode())
				assert.Equal(t, "cannot write the TLS files to "+dir+": it is not writable, or the connection to the engine was lost before all files arrived\n", string(output))
			})
		}
	}
}

func TestNothingStartsWithoutTheDirectory(t *testing.T) {
	for _, shell := range allShells(t) {
		t.Run(shell.Name, func(t *testing.T) {
			cmd := wrapped(t, shell, filepath.Join(t.TempDir(), "missing"), "echo", "started")
			cmd.Stdin = bytes.NewReader(material().Input())
			output, err := cmd.CombinedOutput()
			assert.Error(t, err)
			assert.NotContains(t, string(output), "started")
			assert.Contains(t, string(output), "missing")
		})
	}
}

// Nor must it start with half a key if the file system is full.
func TestNothingStartsWithoutRoomForTheFiles(t *testing.T) {
	for _, shell := range allShells(t) {
		t.Run(shell.Name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.Symlink("/dev/full", filepath.Join(dir, "peer.crt")))
			cmd := wrapped(t, shell, dir, "echo", "started")
			cmd.Stdin = bytes.NewReader(material().Input())
			output, err := cmd.CombinedOutput()
			assert.Error(t, err)
			assert.NotContains(t, string(output), "started")
		})
	}
}

// The engine gets the exit status of the chaincode, or 127 if its program does not exist.
func TestTheCommandsStatusIsTheContainers(t *testing.T) {
	for _, shell := range allShells(t) {
		for name, test := range map[string]struct {
			command []string
			status  int
		}{
			"ends":       {[]string{"sh", "-c", "exit 7"}, 7},
			"is missing": {[]string{"no-such-program"}, 127},
		} {
			t.Run(name+", "+shell.Name, func(t *testing.T) {
				cmd := wrapped(t, shell, t.TempDir(), test.command...)
				cmd.Stdin = bytes.NewReader(material().Input())
				output, err := cmd.CombinedOutput()
				var failed *exec.ExitError
				require.ErrorAs(t, err, &failed)
				assert.Equal(t, test.status, failed.ExitCode())
				if test.status == 127 {
					assert.Contains(t, string(output), "no-such-program", "the message names the program")
				}
			})
		}
	}
}

// Only the chaincode's user can read the keys.
func TestTheCommandNamesTheFilesAndTheirModes(t *testing.T) {
	command := strings.Join(tlsfiles.WrapCommand(tlsfiles.Dir, tlsfiles.KeyOfUser, []string{"chaincode", "-peer.address=peer:7052"}), " ")
	assert.Contains(t, command, "333:client.crt 377:client.key 333:client_pem.crt 377:client_pem.key 333:peer.crt;")
	assert.True(t, strings.HasSuffix(command, tlsfiles.Dir+" chaincode -peer.address=peer:7052"))
}
