// SPDX-License-Identifier: Apache-2.0

// Package figures adds up counters over all builds and launches, for Prometheus: they are kept in one file of a directory, which
// node_exporter's textfile collector reads.
//
// Any number of programs, of any number of peers, add to the file at the same time: each locks the directory, reads the file,
// adds what it has counted, and puts a new file in the place of the old one. The lock ends with the process that holds it, and a
// reader sees the old file or the new one. What is not the builder's own file is left alone.
//
// Nothing here may hold up or fail a build or a launch: what goes wrong is one warning.
package figures

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"time"
)

// Figures holds what a program has counted and not yet added to the file. It is safe for concurrent use. A nil one counts nothing.
type Figures struct {
	directory string
	log       Logger

	warned  sync.Once
	saving  sync.Mutex         // held while the file is changed
	mu      sync.Mutex         // protects unsaved
	unsaved map[string]float64 // by series
}

// Logger gets the warning if the file cannot be written.
type Logger interface {
	Warn(message string, fields ...any)
}

// New returns figures for the file in a directory, or nil if the directory is empty, which means that the operator wants none.
func New(directory string, log Logger) *Figures {
	if directory == "" {
		return nil
	}
	return &Figures{directory: directory, log: log, unsaved: map[string]float64{}}
}

// Add counts value. The values of the counter's labels are in the order of [Counter].
func (f *Figures) Add(counter *Counter, value float64, labels ...string) {
	if f == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.unsaved[counter.series(labels)] += value
}

// Save adds what was counted to the file. It returns after limit at the latest, even if the file system hangs. If that is too
// short, or something is wrong, it warns, and the next Save tries again.
func (f *Figures) Save(limit time.Duration) {
	if f == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	saved := make(chan error, 1)
	go func() { saved <- f.save(ctx) }()
	var err error
	select {
	case err = <-saved:
	case <-ctx.Done():
		err = errTooLate
	}
	if err != nil {
		f.warned.Do(func() {
			f.log.Warn("cannot write the figures for Prometheus, see builder.metrics.directory",
				"file", filepath.Join(f.directory, FileName), "reason", err)
		})
	}
}

// errTooLate is the error for a file that could not be changed in time.
var errTooLate = errors.New("other programs hold the lock of the directory, or its file system does not answer")

// save adds what was counted to the file, unless ctx ends before it has the lock.
func (f *Figures) save(ctx context.Context) error {
	f.saving.Lock()
	defer f.saving.Unlock()
	f.mu.Lock()
	more := f.unsaved
	f.unsaved = map[string]float64{}
	f.mu.Unlock()
	if len(more) == 0 {
		return nil
	}
	err := update(ctx, f.directory, more)
	if err != nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		for series, value := range more {
			f.unsaved[series] += value
		}
	}
	return err
}
