// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Journal records every line that the programs write to stderr. Its Log method is for Options.Log. The zero value is
// ready to use.
type Journal struct {
	mutex sync.Mutex
	lines []Line
	added chan struct{}
}

// Log adds a line.
func (j *Journal) Log(line Line) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	j.lines = append(j.lines, line)
	if j.added != nil {
		close(j.added)
		j.added = nil
	}
}

// Lines returns the lines so far.
func (j *Journal) Lines() []Line {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	return slices.Clone(j.lines)
}

// String returns the lines as text.
func (j *Journal) String() string {
	var text strings.Builder
	for _, line := range j.Lines() {
		text.WriteString(line.String() + "\n")
	}
	return text.String()
}

// Wait waits for the first line that contains text.
func (j *Journal) Wait(ctx context.Context, text string) (Line, error) {
	for seen := 0; ; {
		lines, added := j.from(seen)
		for _, line := range lines {
			if strings.Contains(line.String(), text) {
				return line, nil
			}
		}
		seen += len(lines)
		select {
		case <-added:
		case <-ctx.Done():
			return Line{}, fmt.Errorf("waiting for a line with %q: %w", text, context.Cause(ctx))
		}
	}
}

// from returns the lines from a position on, and a channel that is closed when the next line is added.
func (j *Journal) from(position int) ([]Line, <-chan struct{}) {
	j.mutex.Lock()
	defer j.mutex.Unlock()
	if j.added == nil {
		j.added = make(chan struct{})
	}
	return slices.Clone(j.lines[position:]), j.added
}
