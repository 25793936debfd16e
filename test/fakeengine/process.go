// SPDX-License-Identifier: Apache-2.0

package fakeengine

import (
	"errors"
	"io"
	"strings"
	"sync"
	"time"
)

// Program is the code of a container's process, and returns its exit status. A long-running program must return when
// [Process.Killed] is closed.
type Program func(*Process) int

// Process is a container's process, as its program sees it.
type Process struct {
	Container Container
	Stdin     io.Reader
	Stdout    io.Writer
	Stderr    io.Writer
	Files     *Files          // of the container
	Stop      <-chan struct{} // closed by SIGTERM
	Killed    <-chan struct{} // closed by SIGKILL; after that, output and exit status are ignored

	terminate func()
	kill      func()
	oomKilled bool
}

// Env returns an environment variable of the process and whether it is set.
func (p *Process) Env(name string) (value string, set bool) {
	for _, variable := range p.Container.Env {
		if value, ok := strings.CutPrefix(variable, name+"="); ok {
			return value, true
		}
	}
	return "", false
}

// OutOfMemory marks the process as killed by the kernel for lack of memory, and returns its exit status.
func (p *Process) OutOfMemory() int {
	p.oomKilled = true
	return 137
}

// Serve returns a program that runs until it is stopped, and exits with the given status.
func Serve(status int) Program {
	return func(p *Process) int { return p.Serve(status) }
}

// Serve waits until the process is stopped or killed, and returns status.
func (p *Process) Serve(status int) int {
	select {
	case <-p.Stop:
	case <-p.Killed:
	}
	return status
}

// SetProgram sets the program of containers that are started from now on. The default exits at once with 0.
func (e *Engine) SetProgram(program Program) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.program = program
}

// run starts the process of a container. The caller holds the lock.
func (e *Engine) run(c *container) {
	c.status, c.started, c.exitCode = "running", e.nowLocked(), 0
	stop, killed := make(chan struct{}), make(chan struct{})
	process := &Process{
		Container: c.view(), Files: c.files, Stop: stop, Killed: killed,
		terminate: sync.OnceFunc(func() { close(stop) }),
		kill:      sync.OnceFunc(func() { close(killed) }),
	}
	process.Stdin = &inputReader{e, c, killed}
	process.Stdout, process.Stderr = &outputWriter{e, c, process, 1}, &outputWriter{e, c, process, 2}
	c.process = process
	c.notify()
	program := e.program
	e.processes.Go(func() {
		code := program(process)
		e.mu.Lock()
		defer e.mu.Unlock()
		if c.process == process {
			c.oomKilled = process.oomKilled
			e.finish(c, code)
		}
	})
}

// finish marks a container as exited. The caller holds the lock.
func (e *Engine) finish(c *container, code int) {
	c.process, c.status, c.exitCode, c.finished = nil, "exited", code, e.nowLocked()
	c.exits++
	c.endLog()
	if e.podman {
		c.status = "stopped"
		time.AfterFunc(stoppedFor, func() { e.settle(c) })
	}
	c.notify()
}

// stoppedFor is how long a container of podman is stopped before it is exited. Meanwhile, its files are unmounted.
const stoppedFor = 5 * time.Millisecond

// settle ends podman's state right after the end of a container.
func (e *Engine) settle(c *container) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c.status == "stopped" {
		c.status = "exited"
		c.notify()
	}
}

func (e *Engine) killLocked(c *container) {
	if c.process == nil {
		return
	}
	c.process.kill()
	e.finish(c, 137)
}

func (e *Engine) killAll() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, c := range e.containers {
		e.killLocked(c)
	}
}

var errKilled = errors.New("the process was killed")

// outputWriter is a process's stdout or stderr, and writes to its container's log.
type outputWriter struct {
	engine    *Engine
	container *container
	process   *Process
	stream    byte
}

func (w *outputWriter) Write(p []byte) (int, error) {
	w.engine.mu.Lock()
	defer w.engine.mu.Unlock()
	if w.container.process != w.process {
		return 0, errKilled
	}
	w.container.output = append(w.container.output, chunk{w.stream, w.engine.nowLocked(), append([]byte(nil), p...)})
	w.engine.appendLog(w.container, w.stream, p)
	w.container.notify()
	return len(p), nil
}
