// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// builds records which packages this peer has built and with what result, and holds a lock for each package.
type builds struct {
	mutex    sync.Mutex
	statuses map[string]*buildStatus
	locks    map[string]*sync.Mutex
}

type buildStatus struct {
	done chan struct{}
	err  error
}

func newBuilds() *builds {
	return &builds{statuses: map[string]*buildStatus{}, locks: map[string]*sync.Mutex{}}
}

func (b *builds) lock(packageID string) (unlock func()) {
	b.mutex.Lock()
	lock := b.locks[packageID]
	if lock == nil {
		lock = &sync.Mutex{}
		b.locks[packageID] = lock
	}
	b.mutex.Unlock()
	lock.Lock()
	return lock.Unlock
}

// status returns a package's status and whether it was known. If it was not, the caller must finish the new one.
func (b *builds) status(packageID string) (status *buildStatus, known bool) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if status, known = b.statuses[packageID]; known {
		return status, true
	}
	return b.add(packageID), false
}

func (b *builds) reset(packageID string) *buildStatus {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.add(packageID)
}

func (b *builds) add(packageID string) *buildStatus {
	status := &buildStatus{done: make(chan struct{})}
	b.statuses[packageID] = status
	return status
}

func (s *buildStatus) finish(err error) {
	s.err = err
	close(s.done)
}

// buildInfo is the file that the peer writes beside a build.
type buildInfo struct {
	BuilderName string `json:"builder_name"`
}

// cachedBuild reports whether a build exists. It checks only the directory and the build info in it.
func (p *Peer) cachedBuild(packageID string) (bool, error) {
	build := p.Build(packageID)
	if _, err := os.Stat(build.Dir); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	raw, err := os.ReadFile(build.infoFile())
	if err != nil {
		return false, fmt.Errorf("could not read '%s' for build info: %w", build.infoFile(), err)
	}
	var info buildInfo
	if err := json.Unmarshal(raw, &info); err != nil {
		return false, fmt.Errorf("malformed build info at '%s': %w", build.infoFile(), err)
	}
	if info.BuilderName != p.opts.BuilderName {
		return false, fmt.Errorf("chaincode '%s' was already built with builder '%s', but that builder is no longer available", packageID, info.BuilderName)
	}
	return true, nil
}

// store writes the build info and copies release, then output.
func (p *Peer) store(packageID string, s *scratch) error {
	build := p.Build(packageID)
	if err := os.Mkdir(build.Dir, 0o700); err != nil {
		return fmt.Errorf("storing build: %w", err)
	}
	info, err := json.Marshal(buildInfo{BuilderName: p.opts.BuilderName})
	if err != nil {
		return fmt.Errorf("storing build: %w", err)
	}
	if err := os.WriteFile(build.infoFile(), info, 0o600); err != nil {
		return fmt.Errorf("storing build: %w", err)
	}
	if err := copyDir(s.release, build.Release); err != nil {
		return err
	}
	return copyDir(s.output, build.Output)
}

// Build is where the peer stores the results of build and release.
type Build struct {
	Dir     string
	Output  string
	Release string
}

// Build is where a package's build is kept, whether or not it is there.
func (p *Peer) Build(packageID string) Build {
	dir := filepath.Join(p.buildsDir(), pathOf(packageID))
	return Build{Dir: dir, Output: filepath.Join(dir, "bld"), Release: filepath.Join(dir, "release")}
}

func (b Build) infoFile() string { return filepath.Join(b.Dir, "build-info.json") }
