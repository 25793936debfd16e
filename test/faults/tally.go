// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

// tally counts what happens in a scenario, and prints failures when they happen.
type tally struct {
	name   string
	rounds int
	random *rand.Rand // for the scenario's own goroutine alone

	mutex  sync.Mutex
	builds int
	runs   int
	failed int
	notes  []string
	left   map[string]bool // containers that may be left
}

// upTo returns a random duration.
func (t *tally) upTo(limit time.Duration) time.Duration {
	return time.Duration(t.random.Int64N(int64(limit)))
}

// started counts a program.
func (t *tally) started(name string) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if name == "run" {
		t.runs++
	} else {
		t.builds++
	}
}

// fail counts a failure, and prints what went wrong and what the program said.
func (t *tally) fail(what string, p *program) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.failed++
	fmt.Printf("%s: FAILED: %s\n", t.name, what)
	if p == nil {
		return
	}
	for line := range strings.Lines(p.stderr.String()) {
		if strings.HasPrefix(line, workLine) {
			continue
		}
		fmt.Printf("    | %s\n", strings.TrimRight(line, "\n"))
	}
}

// excuse records a container that may be left at the end.
func (t *tally) excuse(id string) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.left == nil {
		t.left = map[string]bool{}
	}
	t.left[id] = true
}

// excused reports whether a container may be left.
func (t *tally) excused(id string) bool {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.left[id]
}

// note adds a figure to the scenario's line.
func (t *tally) note(format string, args ...any) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.notes = append(t.notes, fmt.Sprintf(format, args...))
}

func (t *tally) failures() int {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.failed
}

func (t *tally) String() string {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	counts := []string{fmt.Sprintf("%d rounds, %d builds", t.rounds, t.builds)}
	if t.runs > 0 {
		counts = append(counts, fmt.Sprintf("%d runs", t.runs))
	}
	counts = append(counts, fmt.Sprintf("%d failed", t.failed))
	return strings.Join(append(counts, t.notes...), ", ")
}
