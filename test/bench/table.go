// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"strings"
)

// The markers around the table in a file.
const (
	tableBegin = "<!-- bench:begin -->"
	tableEnd   = "<!-- bench:end -->"
)

// table returns the report as Markdown, with a table per section.
func (r *report) table() string {
	var text strings.Builder
	section := ""
	for _, row := range r.rows {
		if !row.measured() {
			continue
		}
		if row.section != section {
			section = row.section
			fmt.Fprintf(&text, "\n| %s | ours | compared with | ratio | target | met |\n|---|---|---|---|---|---|\n", section)
		}
		fmt.Fprintf(&text, "| %s | %s | %s | %s | %s | %s |\n",
			row.name, row.unit.text(&row.ours), row.besideText(), row.ratio(), row.asked, row.verdict())
	}
	return strings.TrimPrefix(text.String(), "\n")
}

// writeTable puts the table between the markers of a file.
func writeTable(name, table string) error {
	old, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("reading the table's file: %w", err)
	}
	text, err := between(string(old), table)
	if err != nil {
		return fmt.Errorf("writing the table into %s: %w", name, err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		return fmt.Errorf("writing the table: %w", err)
	}
	return nil
}

// between replaces the text between the markers.
func between(text, table string) (string, error) {
	before, rest, begins := strings.Cut(text, tableBegin)
	_, after, ends := strings.Cut(rest, tableEnd)
	if !begins || !ends {
		return "", fmt.Errorf("it lacks %s, or %s after it", tableBegin, tableEnd)
	}
	return before + tableBegin + "\n\n" + strings.Trim(table, "\n") + "\n\n" + tableEnd + after, nil
}
