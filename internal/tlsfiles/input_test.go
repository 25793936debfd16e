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

// all are the shells of images, and bash where this machine has it: official images have BusyBox's, others dash or bash.
func all(t *testing.T) []shells.Shell {
	t.Helper()
	found := shells.All(t)
	if bash, err := exec.LookPath("bash"); err == nil {
		found = append(found, shells.Shell{Name: "bash", Words: []string{bash, "--posix"}})
	}
	return found
}

// receiver runs Receive in a shell, with a command that shows what it gets.
func receiver(t *testing.T, shell shells.Shell, dir string, command ...string) *exec.Cmd {
	t.Helper()
	received := tlsfiles.Receive(dir, command)
	require.Equal(t, "/bin/sh", received[0])
	return shell.Command(nil, received[1:]...)
}

// What comes through the input is, file by file, what the archive holds: contents to the byte, and modes.
func TestReceivedFilesAreTheArchives(t *testing.T) {
	odd := material()
	odd.RootCert = "subject=CN = ca, \\n %s \t \r\n\n  +plus\n-minus\n.\n" + strings.TrimSuffix(block("CERTIFICATE", "no newline at the end"), "\n")
	for name, m := range map[string]tlsfiles.Material{"plain": material(), "text around, CRLF, no newline at the end": odd} {
		for _, shell := range all(t) {
			t.Run(name+", "+shell.Name, func(t *testing.T) {
				dir := t.TempDir()
				cmd := receiver(t, shell, dir, "sh", "-c", `echo "$0|$1"; umask; pwd; cat`, "a b", "c")
				cmd.Dir = t.TempDir()
				// No end of the input: the command must start all the same, and get nothing of it.
				input, err := cmd.StdinPipe()
				require.NoError(t, err)
				defer input.Close()
				var output bytes.Buffer
				cmd.Stdout, cmd.Stderr = &output, &output
				require.NoError(t, cmd.Start())
				_, err = input.Write(append(m.Input(), "for nobody\n"...))
				require.NoError(t, err)
				require.NoError(t, cmd.Wait(), output.String())

				umask, err := exec.Command("sh", "-c", "umask").Output()
				require.NoError(t, err)
				assert.Equal(t, "a b|c\n"+string(umask)+cmd.Dir+"\n", output.String())
				archive, err := m.Files(os.Getuid(), os.Getgid())
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

// A connection that is lost in the middle must not start a chaincode with half a key.
func TestNothingStartsWithoutAllOfTheInput(t *testing.T) {
	whole := material().Input()
	for _, shell := range all(t) {
		for name, length := range map[string]int{
			"none": 0, "a part of a line": 10, "without the last empty line": len(whole) - 1, "without the last line": bytes.LastIndex(whole[:len(whole)-2], []byte("\n")) + 1,
		} {
			t.Run(shell.Name+", "+name, func(t *testing.T) {
				dir := t.TempDir()
				cmd := receiver(t, shell, dir, "echo", "started")
				cmd.Stdin = bytes.NewReader(whole[:length])
				output, err := cmd.CombinedOutput()
				var failed *exec.ExitError
				require.ErrorAs(t, err, &failed)
				assert.Equal(t, 1, failed.ExitCode())
				assert.Equal(t, "the TLS files are not in "+dir+": it cannot be written, or the connection to the engine was lost before they came\n", string(output))
			})
		}
	}
}

func TestADirectoryThatIsNotThereStartsNothing(t *testing.T) {
	for _, shell := range all(t) {
		t.Run(shell.Name, func(t *testing.T) {
			cmd := receiver(t, shell, filepath.Join(t.TempDir(), "missing"), "echo", "started")
			cmd.Stdin = bytes.NewReader(material().Input())
			output, err := cmd.CombinedOutput()
			assert.Error(t, err)
			assert.NotContains(t, string(output), "started")
			assert.Contains(t, string(output), "missing")
		})
	}
}

// A file system that is full must not start a chaincode with half a key either.
func TestNothingStartsWithoutRoomForTheFiles(t *testing.T) {
	for _, shell := range all(t) {
		t.Run(shell.Name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.Symlink("/dev/full", filepath.Join(dir, "peer.crt")))
			cmd := receiver(t, shell, dir, "echo", "started")
			cmd.Stdin = bytes.NewReader(material().Input())
			output, err := cmd.CombinedOutput()
			assert.Error(t, err)
			assert.NotContains(t, string(output), "started")
		})
	}
}

// The exit status of the chaincode, and of one that is not there, reach the engine.
func TestTheCommandsStatusIsTheContainers(t *testing.T) {
	for _, shell := range all(t) {
		for name, test := range map[string]struct {
			command []string
			status  int
		}{
			"ends":         {[]string{"sh", "-c", "exit 7"}, 7},
			"is not there": {[]string{"no-such-program"}, 127},
		} {
			t.Run(name+", "+shell.Name, func(t *testing.T) {
				cmd := receiver(t, shell, t.TempDir(), test.command...)
				cmd.Stdin = bytes.NewReader(material().Input())
				output, err := cmd.CombinedOutput()
				var failed *exec.ExitError
				require.ErrorAs(t, err, &failed)
				assert.Equal(t, test.status, failed.ExitCode())
				if test.status == 127 {
					assert.Contains(t, string(output), "no-such-program", "it is named")
				}
			})
		}
	}
}

// The keys are for the chaincode's user alone.
func TestTheCommandNamesTheFilesAndTheirModes(t *testing.T) {
	command := strings.Join(tlsfiles.Receive(tlsfiles.Dir, []string{"chaincode", "-peer.address=peer:7052"}), " ")
	assert.Contains(t, command, "333:client.crt 377:client.key 333:client_pem.crt 377:client_pem.key 333:peer.crt;")
	assert.True(t, strings.HasSuffix(command, tlsfiles.Dir+" chaincode -peer.address=peer:7052"))
}
