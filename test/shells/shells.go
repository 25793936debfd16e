// SPDX-License-Identifier: Apache-2.0

// Package shells gives tests the shells that scripts run in: Debian's dash, and BusyBox's sh with BusyBox's tools, as
// on Alpine.
package shells

import (
	"os/exec"
	"strings"
	"testing"
)

// Shell is a shell to run scripts in.
type Shell struct {
	Name  string
	Words []string // the command, before its arguments
	Tools string   // the directory of its own tools, or empty
}

// All returns all shells. It fails the test if one is missing, because a test that is skipped everywhere is noticed
// nowhere.
func All(t testing.TB) []Shell {
	t.Helper()
	dash, busybox, tools := find(t, "dash"), find(t, "busybox"), t.TempDir()
	if output, err := exec.Command(busybox, "--install", "-s", tools).CombinedOutput(); err != nil {
		t.Fatalf("linking BusyBox's tools: %v\n%s", err, output)
	}
	return []Shell{{Name: "dash", Words: []string{dash}}, {Name: "busybox", Words: []string{busybox, "sh"}, Tools: tools}}
}

func find(t testing.TB, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("cannot test scripts under %s: not found in PATH (install Debian's package %[1]s, as make test does where it can)", program)
	}
	return path
}

// Command returns a call of the shell. PATH holds the directories of path, then the shell's own tools, then the
// machine's.
func (s Shell) Command(path []string, args ...string) *exec.Cmd {
	if s.Tools != "" {
		path = append(path[:len(path):len(path)], s.Tools)
	}
	cmd := exec.Command(s.Words[0], append(s.Words[1:len(s.Words):len(s.Words)], args...)...)
	cmd.Env = []string{"PATH=" + strings.Join(append(path, "/usr/bin", "/bin"), ":")}
	return cmd
}
