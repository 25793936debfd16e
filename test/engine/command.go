// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// systemDirs hold programs for the system administrator. A root shell started with su does not have them in its PATH.
var systemDirs = []string{"/usr/sbin", "/sbin"}

// Command is a system program whose output goes to a file.
type Command struct {
	Name    string
	Args    []string
	LogFile string
}

// Run runs the command to its end. When ctx is done it sends SIGTERM, so that the command can clean up its mounts. The
// error shows the end of the output.
func (c Command) Run(ctx context.Context) error {
	path := LookPath(c.Name)
	if path == "" {
		return fmt.Errorf("running %s: not found in PATH, /usr/sbin or /sbin", c.Name)
	}
	log, err := os.OpenFile(c.LogFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("opening the log of %s: %w", c.Name, err)
	}
	defer log.Close()
	cmd := exec.CommandContext(ctx, path, c.Args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(withSystemPath(cmd.Environ()), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second
	err = cmd.Run()
	if ctx.Err() != nil {
		return fmt.Errorf("running %s: %w", c.Name, ctx.Err())
	}
	if err != nil {
		return fmt.Errorf("running %s: %w; the end of %s:\n%s", c.Name, err, c.LogFile, tail(c.LogFile))
	}
	return nil
}

// LookPath finds a program in PATH or the administrator's directories. It returns "" if there is none.
func LookPath(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, dir := range systemDirs {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	return ""
}

// withSystemPath adds the administrator's directories to PATH.
func withSystemPath(env []string) []string {
	path := "/usr/bin:/bin"
	for _, entry := range env {
		if value, ok := strings.CutPrefix(entry, "PATH="); ok {
			path = value
		}
	}
	return append(slices.Clone(env), "PATH="+path+":"+strings.Join(systemDirs, ":"))
}

// tail returns the end of a log, at most 2000 bytes in whole lines.
func tail(file string) string {
	const most = 2000
	content, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	if len(content) > most {
		content = content[len(content)-most:]
		if cut := bytes.IndexByte(content, '\n'); cut >= 0 {
			content = content[cut+1:]
		}
	}
	return strings.TrimSpace(string(content))
}
