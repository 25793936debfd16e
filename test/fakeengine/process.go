package fakeengine

import (
	"errors"
	"io"
	"strings"
	"sync"
)

// Program is what the process of a container does. It returns the exit status. A program that lasts must end with
// [Process.Killed].
type Program func(*Process) int

// Process is what a program sees.
type Process struct {
	Container Container
	Stdin     io.Reader
	Stdout    io.Writer
	Stderr    io.Writer
	Files     *Files          // the container's own
	Stop      <-chan struct{} // closed by SIGTERM
	Killed    <-chan struct{} // closed by SIGKILL; what the program does from now on has no effect

	terminate func()
	kill      func()
	oomKilled bool
}

// Env is a variable of the process.
func (p *Process) Env(name string) (value string, set bool) {
	for _, variable := range p.Container.Env {
		if value, ok := strings.CutPrefix(variable, name+"="); ok {
			return value, true
		}
	}
	return "", false
}

// OutOfMemory is the status of a process that the kernel has killed.
func (p *Process) OutOfMemory() int {
	p.oomKilled = true
	return 137
}

// Serve is a program that runs until it is told to stop, and then ends with that status.
func Serve(status int) Program {
	return func(p *Process) int { return p.Serve(status) }
}

// Serve waits to be told to stop.
func (p *Process) Serve(status int) int {
	select {
	case <-p.Stop:
	case <-p.Killed:
	}
	return status
}

// SetProgram sets what containers do that are started from now on. A new engine's containers end at once with 0.
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
	process.Stdin = &reader{e, c, killed}
	process.Stdout, process.Stderr = &writer{e, c, process, 1}, &writer{e, c, process, 2}
	c.process = process
	c.change()
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

// finish ends a run. The caller holds the lock.
func (e *Engine) finish(c *container, code int) {
	c.process, c.status, c.exitCode, c.finished = nil, "exited", code, e.nowLocked()
	c.exits++
	c.change()
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

// writer is a stream of a process into its container's log.
type writer struct {
	engine    *Engine
	container *container
	process   *Process
	stream    byte
}

func (w *writer) Write(p []byte) (int, error) {
	w.engine.mu.Lock()
	defer w.engine.mu.Unlock()
	if w.container.process != w.process {
		return 0, errKilled
	}
	w.container.log = append(w.container.log, chunk{w.stream, w.engine.nowLocked(), append([]byte(nil), p...)})
	w.container.change()
	return len(p), nil
}
