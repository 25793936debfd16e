// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"fabric-builder-docker/test/baseimages"
	"fabric-builder-docker/test/engine"
)

// cleanupTimeout bounds the work after the command has ended, for whatever reason.
const cleanupTimeout = 90 * time.Second

// session is a reachable engine with base images.
type session struct {
	engine *engine.Engine
	client *engine.Client
	images []string // the variables that name them; none with --bare
	// kept reports whether the engine was started with --keep. Others may be using it, and --stop stops it.
	kept bool
}

// open starts the engine and provides the images. If it fails, it stops what it started.
func open(ctx context.Context, args arguments, s environment, opts engine.Options) (*session, error) {
	opts.Packages = args.programs
	if !args.bare {
		opts.Packages = append(baseimages.Packages(), args.programs...)
	}
	e, err := engine.Ensure(ctx, opts)
	if err != nil {
		return nil, err
	}
	// If a kept engine has stopped since, for example with the machine, its mark does not apply to the new one.
	session := &session{engine: e, kept: marked(args) && !e.Started}
	session.client, err = engine.NewClient(e.Host)
	if err == nil {
		err = engine.InstallPrograms(ctx, opts, args.programs...)
	}
	if err == nil {
		err = meanwhile(ctx, args.meanwhile, func() (err error) {
			if !args.bare {
				session.images, err = makeImages(ctx, e.Host, args, s)
			}
			return err
		})
	}
	if err != nil {
		return nil, errors.Join(err, session.close(ctx))
	}
	return session, nil
}

// meanwhile runs a script beside work. Both go on to their end if the other one fails, so that both errors are reported.
func meanwhile(ctx context.Context, script string, work func() error) error {
	if script == "" {
		return work()
	}
	ended := make(chan error, 1)
	go func() {
		status, err := execute(ctx, []string{"sh", "-c", script}, nil)
		if err == nil && status != 0 {
			err = fmt.Errorf("running what needs no images: exit status %d", status)
		}
		ended <- err
	}()
	return errors.Join(work(), <-ended)
}

// makeImages provides the base images, and returns the variables that name them.
func makeImages(ctx context.Context, host string, args arguments, s environment) ([]string, error) {
	images, err := baseimages.Ensure(ctx, host, baseimages.Options{WorkDir: args.workDir, Log: s.log, HTTPProxy: s.httpProxy})
	if err != nil {
		return nil, err
	}
	return images.Env(), nil
}

// close stops withengine's own engine, unless it is to be kept.
func (s *session) close(ctx context.Context) error {
	if s.kept {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	return s.engine.Stop(ctx)
}

// alone reports whether this run is the only user of the engine.
func (s *session) alone() bool { return s.engine.Own && !s.kept }

// env returns the variables for the command.
func (s *session) env() []string {
	own := "0"
	if s.engine.Own {
		own = "1"
	}
	env := []string{"DOCKER_HOST=" + s.engine.Host, "FBD_TEST_ENGINE_OWN=" + own}
	return append(env, s.images...)
}

// keep starts an engine, leaves it running, and prints the variables for using it.
func keep(ctx context.Context, args arguments, s environment, opts engine.Options) error {
	session, err := open(ctx, args, s, opts)
	if err != nil {
		return err
	}
	if err := os.WriteFile(marker(args), nil, 0o644); err != nil {
		return errors.Join(fmt.Errorf("marking the engine as kept: %w", err), session.close(ctx))
	}
	for _, variable := range session.env() {
		fmt.Fprintf(s.out, "export %s\n", variable)
	}
	return nil
}

// stop stops an engine that keep left running. Its images stay.
func stop(ctx context.Context, args arguments, opts engine.Options) error {
	if err := os.Remove(marker(args)); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("removing the mark of a kept engine: %w", err)
	}
	return engine.StopOwn(ctx, opts)
}

func marker(args arguments) string { return filepath.Join(args.workDir, "keep") }

func marked(args arguments) bool {
	_, err := os.Stat(marker(args))
	return err == nil
}
