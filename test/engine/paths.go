// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// defaultWorkDir is the default of Options.WorkDir.
const defaultWorkDir = ".work"

// paths are the places of the engine of one working directory. The socket, the daemon's run-time state and its pidfile
// are in a short directory elsewhere, because a socket's path is limited to 108 bytes and containerd appends to it.
type paths struct {
	work   string // the working directory
	engine string // in work: data, configuration and logs of the daemon
	short  string // socket, run-time state, pidfile
}

// newPaths creates workDir and resolves it, so that two spellings of a directory give the same engine.
func newPaths(workDir string) (paths, error) {
	if workDir == "" {
		workDir = defaultWorkDir
	}
	real, err := makeReal(workDir)
	if err != nil {
		return paths{}, fmt.Errorf("creating the working directory: %w", err)
	}
	if here, err := os.Getwd(); err == nil && within(here, real) {
		return paths{}, fmt.Errorf("creating the working directory: %s contains the current directory, which cleaning would remove", real)
	}
	return paths{work: real, engine: filepath.Join(real, "engine"), short: shortDir(real)}, nil
}

func makeReal(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(abs, 0o755); err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(abs)
}

// within reports whether a clean path is dir or below it.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// shortDir returns the short directory of a working directory.
func shortDir(workDir string) string {
	sum := sha256.Sum256([]byte(workDir))
	return "/tmp/fbd-" + hex.EncodeToString(sum[:4])
}

func (p paths) socket() string    { return filepath.Join(p.short, "docker.sock") }
func (p paths) host() string      { return "unix://" + p.socket() }
func (p paths) execRoot() string  { return filepath.Join(p.short, "exec") }
func (p paths) pidFile() string   { return filepath.Join(p.short, "dockerd.pid") }
func (p paths) data() string      { return filepath.Join(p.engine, "data") }
func (p paths) daemonLog() string { return filepath.Join(p.engine, "dockerd.log") }
func (p paths) aptLog() string    { return filepath.Join(p.engine, "apt.log") }
func (p paths) config() string    { return filepath.Join(p.engine, "daemon.json") }

// make creates the directories. The short one has a predictable name in a world-writable directory, so make checks that
// it belongs to this user.
func (p paths) make() error {
	if err := os.MkdirAll(p.engine, 0o755); err != nil {
		return fmt.Errorf("creating the engine's directory: %w", err)
	}
	if err := os.Mkdir(p.short, 0o700); err != nil && !os.IsExist(err) {
		return fmt.Errorf("creating the socket's directory: %w", err)
	}
	info, err := os.Lstat(p.short)
	if err != nil {
		return fmt.Errorf("checking the socket's directory: %w", err)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !info.IsDir() || !ok || int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("checking the socket's directory: %s is not a directory of this user", p.short)
	}
	return nil
}

// running returns the PID of this working directory's daemon and whether it is alive and answers.
func (p paths) running(ctx context.Context) (int, bool) {
	pid, alive := p.daemon()
	return pid, alive && pingSoon(ctx, p.host()) == nil
}
