// Package shells gives tests the shells that scripts meet in images: Debian's, and BusyBox's among BusyBox's own tools,
// as Alpine has them.
package shells

import (
	"os/exec"
	"strings"
	"testing"
)

// Shell is one of them.
type Shell struct {
	Name  string
	Words []string // how it is called, ahead of its arguments
	Tools string   // the directory of its own tools; empty: it has none
}

// All are all of them. A test fails without one: what is left out everywhere is noticed nowhere.
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
		t.Fatalf("scripts are tested under %s, which is not there: install Debian's package %[1]s, as make test does where it can", program)
	}
	return path
}

// Command calls the shell with these arguments, among its own tools and those of the machine. What is in the directories
// of path comes before all of them.
func (s Shell) Command(path []string, args ...string) *exec.Cmd {
	if s.Tools != "" {
		path = append(path[:len(path):len(path)], s.Tools)
	}
	cmd := exec.Command(s.Words[0], append(s.Words[1:len(s.Words):len(s.Words)], args...)...)
	cmd.Env = []string{"PATH=" + strings.Join(append(path, "/usr/bin", "/bin"), ":")}
	return cmd
}
