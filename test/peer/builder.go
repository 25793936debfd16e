// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// alwaysPropagated lists the variables that every program gets if they are set.
var alwaysPropagated = []string{"LD_LIBRARY_PATH", "LIBPATH", "PATH", "TMPDIR"}

var errClosed = errors.New("the peer is closed")

// start starts a program of the builder and records it. It holds the lock, so that Close misses no program and whoever
// sees a run can stop it.
func (p *Peer) start(packageID, program string, cleanup func(), args ...string) (*Process, error) {
	cmd := exec.Command(p.program(program), args...)
	cmd.Env = p.environment()
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.closed {
		return nil, errClosed
	}
	process, err := startProcess(cmd, program, packageID, p.opts.Log, cleanup)
	if err != nil {
		return nil, err
	}
	p.processes = append(p.processes, process)
	if program == "run" {
		p.instances[packageID].run = process
	}
	return process, nil
}

// execute runs a program until it exits. It takes no context because the peer has none: a build continues when its
// caller has gone.
func (p *Peer) execute(packageID, program string, args ...string) error {
	process, err := p.start(packageID, program, func() {}, args...)
	if err != nil {
		return err
	}
	<-process.Done()
	return process.Err()
}

func (p *Peer) program(name string) string {
	return filepath.Join(p.opts.BuilderPath, "bin", name)
}

// environment returns a program's environment. If none of the variables is set, the program gets the peer's whole
// environment, because that is what os/exec does with an empty one.
func (p *Peer) environment() []string {
	var env []string
	for _, entry := range p.propagated() {
		name, _, given := strings.Cut(entry, "=")
		if given {
			env = append(env, entry)
		} else if value, ok := lookup(p.opts.Environ, name); ok {
			env = append(env, name+"="+value)
		}
	}
	if len(env) == 0 {
		return p.opts.Environ
	}
	return env
}

func (p *Peer) propagated() []string {
	entries := slices.Clone(p.opts.Propagate)
	for _, name := range alwaysPropagated {
		given := func(entry string) bool { return entry == name || strings.HasPrefix(entry, name+"=") }
		if !slices.ContainsFunc(entries, given) {
			entries = append(entries, name)
		}
	}
	return entries
}

func lookup(environ []string, name string) (string, bool) {
	for _, entry := range slices.Backward(environ) {
		if key, value, ok := strings.Cut(entry, "="); ok && key == name {
			return value, true
		}
	}
	return "", false
}
