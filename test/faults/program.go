// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"fabric-builder-docker/internal/metadata"
)

// program is build or run, called as the peer does.
type program struct {
	cmd    *exec.Cmd
	name   string
	pkg    unpacked
	stderr *buffer
	began  time.Time
	done   chan struct{} // closed after the end
	lived  time.Duration // once done is closed
}

// build starts a build of a package. An endpoint other than the engine's own is a relay's.
func (s *stage) build(ctx context.Context, t *tally, p pack, endpoint string) (*program, error) {
	u, err := p.unpack(s.scratch)
	if err != nil {
		return nil, fmt.Errorf("writing a package: %w", err)
	}
	return s.start(ctx, t, "build", u, endpoint, u.source, u.metadata, u.output)
}

// launch starts a run of a package that is built.
func (s *stage) launch(ctx context.Context, t *tally, u unpacked) (*program, error) {
	return s.start(ctx, t, "run", u, s.host, u.output, u.run)
}

func (s *stage) start(ctx context.Context, t *tally, name string, u unpacked, endpoint string, args ...string) (*program, error) {
	p := &program{name: name, pkg: u, stderr: &buffer{}, began: time.Now(), done: make(chan struct{})}
	p.cmd = exec.CommandContext(ctx, filepath.Join(s.builder, "bin", name), args...)
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "CORE_VM_ENDPOINT=" + endpoint}
	p.cmd.Stderr = p.stderr
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	t.started(name)
	go func() {
		_ = p.cmd.Wait() // the status is read from the state of the process
		p.lived = time.Since(p.began)
		close(p.done)
	}()
	return p, nil
}

// status waits for the end and returns the exit status, -1 after a signal.
func (p *program) status() int {
	<-p.done
	return p.cmd.ProcessState.ExitCode()
}

// ended reports whether the program has ended.
func (p *program) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// expect waits for the program, and counts a failure if its exit status is not 0.
func (t *tally) expect(p *program, who string) bool {
	if status := p.status(); status != 0 {
		t.fail(fmt.Sprintf("%s: %s ended with %d after %.1f s", who, p.name, status, p.lived.Seconds()), p)
		return false
	}
	return true
}

// expectImage waits for a build, and counts a failure if it failed or if its image is not there.
func (s *stage) expectImage(ctx context.Context, t *tally, p *program, who string) {
	if !t.expect(p, who) {
		return
	}
	record, err := metadata.ReadRecord(p.pkg.output)
	if err == nil {
		err = s.engine.Get(ctx, "/images/"+record.Image+"/json", nil)
	}
	if err != nil {
		t.fail(fmt.Sprintf("%s: build ended with 0, but its image is not there: %v", who, err), p)
	}
}

// buffer is written by a program and read by others.
type buffer struct {
	mutex sync.Mutex
	bytes bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.bytes.Write(p)
}

func (b *buffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.bytes.String()
}

// pauseFor waits.
func pauseFor(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
