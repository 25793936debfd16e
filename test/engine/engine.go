// SPDX-License-Identifier: Apache-2.0

// Package engine finds a Docker engine for the demo and the tests. On a machine without one it installs and starts one:
// on Debian, as root, from Debian's packages, with all files below one working directory.
package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// defaultSocket is where an engine usually listens.
const defaultSocket = "/var/run/docker.sock"

// Options configures Ensure and the functions that manage an engine.
type Options struct {
	// WorkDir holds the engine's data and its logs. Default: .work.
	WorkDir string
	// Host is the engine to use, in the form of DOCKER_HOST. Default: the machine's own engine, if it has one.
	Host string
	// Packages are Debian packages that the caller needs, installed together with an engine: two runs of apt take
	// longer than one.
	Packages []string
	// Log receives one line per step. Default: none.
	Log io.Writer
}

// Engine is a reachable engine.
type Engine struct {
	// Host is the value for DOCKER_HOST.
	Host string
	// Own reports whether the engine was started by this package, below WorkDir.
	Own bool
	// Started reports whether this call started the engine.
	Started bool

	paths paths
	log   io.Writer
}

// Ensure returns the engine that opts.Host names, or else the machine's, or else one below opts.WorkDir, which it
// installs and starts if necessary.
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
	if err := e.installAndStart(ctx, opts.Packages); err != nil {
		return nil, err
	}
	e.Started = true
	return e, nil
}

// findForeign sets e.Host to the engine that host names, or to the machine's, and reports whether it is reachable. It
// returns false if host names this package's own engine, left running by an earlier call.
func (e *Engine) findForeign(ctx context.Context, host string) (bool, error) {
	if host == e.paths.host() {
		return false, nil
	}
	if host == "" {
		e.Host = "unix://" + defaultSocket
		return pingSoon(ctx, e.Host) == nil, nil
	}
	e.Host = host
	if err := pingSoon(ctx, host); err != nil {
		return false, fmt.Errorf("reaching the engine at DOCKER_HOST %q: %w", host, err)
	}
	return true, nil
}

// installAndStart installs what is missing and starts the daemon.
func (e *Engine) installAndStart(ctx context.Context, also []string) error {
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
		return errors.New("starting an engine: not running as root (run as root, or set DOCKER_HOST to a running engine)")
	}
	return Timed(e.log, "starting the engine", func() error { return start(ctx, e.paths) })
}

// Stop stops an engine that this package started, in this process or another, and removes its mounts and sockets. Its
// data stays. It does not stop other engines.
func (e *Engine) Stop(ctx context.Context) error {
	if !e.Own {
		return nil
	}
	return Timed(e.log, "stopping the engine", func() error { return stop(ctx, e.paths) })
}

// StopOwn stops the engine that an earlier call left running for opts.WorkDir, if there is one.
func StopOwn(ctx context.Context, opts Options) error {
	p, err := newPaths(opts.WorkDir)
	if err != nil {
		return err
	}
	e := &Engine{Own: true, paths: p, log: writer(opts.Log)}
	return e.Stop(ctx)
}

// Clean stops the engine of opts.WorkDir and removes that directory.
func Clean(ctx context.Context, opts Options) error {
	p, err := newPaths(opts.WorkDir)
	if err != nil {
		return err
	}
	return Timed(writer(opts.Log), "removing the engine and its data", func() error { return clean(ctx, p) })
}

// Timed runs a step and logs how long it took.
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
