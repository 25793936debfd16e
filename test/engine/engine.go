// Package engine finds a Docker engine for the demo and the tests, and brings
// one of its own up on a machine that has none: on Debian, as root, from the
// distribution's packages, with every file below one working directory.
package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// defaultSocket is where a machine's engine usually listens.
const defaultSocket = "/var/run/docker.sock"

// Options say where an engine of its own keeps its files and who is told
// what happens.
type Options struct {
	// WorkDir holds the engine's data and its logs. Default: .work.
	WorkDir string
	// Host is the engine to use, as DOCKER_HOST names it. Default: the
	// machine's own engine, if it has one.
	Host string
	// Packages are further Debian packages that the caller will want, to be
	// installed along with an engine: two runs of apt take longer than one.
	Packages []string
	// Log takes one line per step. Default: nobody.
	Log io.Writer
}

// Engine is a reachable engine.
type Engine struct {
	// Host is the value for DOCKER_HOST.
	Host string
	// Own is true for an engine that lives below WorkDir, and false for one
	// that was there already and belongs to somebody else.
	Own bool
	// Started is true when this call started the engine, and false when it
	// was running, from an earlier call or anyway.
	Started bool

	paths paths
	log   io.Writer
}

// Ensure returns the engine that opts.Host names, else the machine's, else
// one of its own, which it installs and starts as far as needed.
func Ensure(ctx context.Context, opts Options) (*Engine, error) {
	p, err := newPaths(opts.WorkDir)
	if err != nil {
		return nil, err
	}
	e := &Engine{paths: p, log: writer(opts.Log)}
	found, err := e.findForeign(ctx, opts.Host)
	if found || err != nil {
		return e, err
	}
	e.Own, e.Host = true, p.host()
	if _, running := p.running(ctx); running {
		return e, nil
	}
	if err := e.bringUp(ctx, opts.Packages); err != nil {
		return nil, err
	}
	e.Started = true
	return e, nil
}

// findForeign looks for an engine of somebody else's. An address that points
// to an engine of our own, left running by an earlier call, is not one.
func (e *Engine) findForeign(ctx context.Context, host string) (bool, error) {
	if host == e.paths.host() {
		return false, nil
	}
	if host == "" {
		e.Host = "unix://" + defaultSocket
		return reachable(ctx, e.Host) == nil, nil
	}
	e.Host = host
	if err := reachable(ctx, host); err != nil {
		return false, fmt.Errorf("reaching the engine at DOCKER_HOST %q: %w", host, err)
	}
	return true, nil
}

// bringUp installs what is missing and starts the daemon.
func (e *Engine) bringUp(ctx context.Context, also []string) error {
	if !installed() {
		if err := checkInstallable(); err != nil {
			return err
		}
		err := Timed(e.log, "installing the engine", func() error { return install(ctx, e.paths, e.log, also) })
		if err != nil {
			return err
		}
	}
	if os.Geteuid() != 0 {
		return errors.New("starting an engine: needs root, or DOCKER_HOST set to a running engine")
	}
	return Timed(e.log, "starting the engine", func() error { return start(ctx, e.paths) })
}

// Stop ends an engine of its own, whichever process started it, and takes
// away its mounts and sockets; its data stays. Others' engines are left alone.
func (e *Engine) Stop(ctx context.Context) error {
	if !e.Own {
		return nil
	}
	return Timed(e.log, "stopping the engine", func() error { return stop(ctx, e.paths) })
}

// StopOwn stops the engine that an earlier call left running for workDir, if
// there is one.
func StopOwn(ctx context.Context, opts Options) error {
	p, err := newPaths(opts.WorkDir)
	if err != nil {
		return err
	}
	e := &Engine{Own: true, paths: p, log: writer(opts.Log)}
	return e.Stop(ctx)
}

// Clean stops workDir's engine and removes workDir with all that is in it.
func Clean(ctx context.Context, opts Options) error {
	p, err := newPaths(opts.WorkDir)
	if err != nil {
		return err
	}
	return Timed(writer(opts.Log), "removing the engine and its data", func() error { return clean(ctx, p) })
}

// Timed runs one step and tells log how long it took.
func Timed(log io.Writer, what string, step func() error) error {
	begin := time.Now()
	fmt.Fprintf(log, "%s ...\n", what)
	err := step()
	if err == nil {
		fmt.Fprintf(log, "%s: %.1f s\n", what, time.Since(begin).Seconds())
	}
	return err
}

func writer(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}
