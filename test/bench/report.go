// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// series holds the measurements of a thing in one way, one or more per round.
type series struct{ values []float64 }

func (s *series) add(value float64)             { s.values = append(s.values, value) }
func (s *series) took(d time.Duration)          { s.add(d.Seconds()) }
func (s *series) empty() bool                   { return s == nil || len(s.values) == 0 }
func (s *series) bounds() (least, most float64) { return slices.Min(s.values), slices.Max(s.values) }

// median returns the middle value, or the mean of the two in the middle.
func (s *series) median() float64 {
	sorted := slices.Sorted(slices.Values(s.values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// unit is the unit of a row's figures.
type unit string

const (
	seconds   unit = "s"
	megabytes unit = "MB" // of 1,000,000 bytes
	count     unit = ""
)

func (u unit) number(value float64) string {
	switch {
	case u == count:
		return fmt.Sprintf("%g", value)
	case value < 1:
		return fmt.Sprintf("%.3f", value)
	case value < 10:
		return fmt.Sprintf("%.2f", value)
	}
	return fmt.Sprintf("%.1f", value)
}

// text returns the median, followed by the minimum and maximum if there are several values.
func (u unit) text(s *series) string {
	text := strings.TrimSpace(u.number(s.median()) + " " + string(u))
	if len(s.values) == 1 {
		return text
	}
	least, most := s.bounds()
	return fmt.Sprintf("%s (%s to %s)", text, u.number(least), u.number(most))
}

// row is a line of the report: ours, and perhaps another way to compare with.
type row struct {
	section, name string
	unit          unit
	ours          series
	way           string  // the other way
	beside        *series // may be shared with another row
	asked         asked
	note          string // about the other way
}

const builtIn = "built-in"

// measured reports whether ours was measured.
func (r *row) measured() bool { return !r.ours.empty() }

// gain returns how many times less ours takes.
func (r *row) gain() float64 { return r.beside.median() / r.ours.median() }

func (r *row) String() string {
	if !r.measured() {
		return r.section + ", " + r.name + ": not measured"
	}
	text := fmt.Sprintf("%s, %s: ours %s", r.section, r.name, r.unit.text(&r.ours))
	if beside := r.besideText(); beside != "" {
		text += ", " + beside + ", ratio " + r.ratio()
	}
	if verdict := r.verdict(); verdict != "" {
		text += ", target " + r.asked.String() + ": " + verdict
	}
	return text
}

func (r *row) besideText() string {
	if r.beside.empty() {
		return ""
	}
	text := r.way + " " + r.unit.text(r.beside)
	if r.note != "" {
		text += ", " + r.note
	}
	return text
}

// report holds all rows, in the order in which they were added.
type report struct{ rows []*row }

func (r *report) add(added row) *row {
	if added.way != "" && added.beside == nil {
		added.beside = &series{}
	}
	r.rows = append(r.rows, &added)
	return &added
}

// verdict returns an error that lists the missed targets.
func (r *report) verdict() error {
	var errs []error
	for _, row := range r.rows {
		if row.verdict() == no {
			errs = append(errs, errors.New("not reached: "+row.String()))
		}
	}
	return errors.Join(errs...)
}
