// SPDX-License-Identifier: Apache-2.0

package check

import (
	"fmt"
	"io"
	"slices"

	"fabric-builder-docker/internal/cli"
	"fabric-builder-docker/internal/inventory"
	"fabric-builder-docker/internal/loglines"
)

// The values of result.Status.
const (
	statusOK   = "ok"
	statusFail = "FAIL"
	statusNote = "note" // worth knowing, but not wrong
)

// result is a finding.
type result struct {
	Status  string `json:"status"`
	Check   string `json:"check"`
	Message string `json:"message"`
	Remedy  string `json:"remedy,omitempty"` // what to do; empty: the message says it, or nothing
}

// report collects findings. As text, they are shown as they come.
type report struct {
	out     io.Writer
	json    bool
	results []result
}

func (r *report) ok(check, format string, args ...any) {
	r.add(statusOK, check, fmt.Sprintf(format, args...), "")
}
func (r *report) note(check, format string, args ...any) {
	r.add(statusNote, check, fmt.Sprintf(format, args...), "")
}
func (r *report) fail(check, message, remedy string) { r.add(statusFail, check, message, remedy) }

func (r *report) add(status, check, message, remedy string) {
	found := result{status, check, message, remedy}
	r.results = append(r.results, found)
	if !r.json {
		fmt.Fprintln(r.out, found.line())
	}
}

// line returns a finding as a line, in which nothing from elsewhere can begin another.
func (r result) line() string {
	text := fmt.Sprintf("%-5s %s: %s", r.Status, r.Check, r.Message)
	if r.Remedy != "" {
		text += ": " + r.Remedy
	}
	return loglines.Safe(text)
}

// finish shows the report as JSON if that is wanted, and returns an exit status of 1 if anything is wrong.
func (r *report) finish() error {
	failed := slices.ContainsFunc(r.results, func(found result) bool { return found.Status == statusFail })
	if r.json {
		err := inventory.JSON(r.out, struct {
			OK      bool     `json:"ok"`
			Results []result `json:"results"`
		}{!failed, r.results})
		if err != nil {
			return err
		}
	}
	if failed {
		return cli.Status(1)
	}
	return nil
}
