// SPDX-License-Identifier: Apache-2.0

package inventory

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"fabric-builder-docker/internal/loglines"
)

// JSON writes a value as indented JSON.
func JSON(w io.Writer, value any) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(data, '\n'))
	return err
}

// Table writes rows in columns, the first of which are the headings. Nothing in them can move the cursor or begin a line.
func Table(w io.Writer, rows [][]string) error {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			row[i] = cmp.Or(loglines.Safe(strings.ReplaceAll(cell, "\t", " ")), "-")
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
	}
	var table strings.Builder
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			line += cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2)
		}
		table.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	_, err := io.WriteString(w, table.String())
	return err
}

// List writes a table of everything of this project.
func List(w io.Writer, items []Item, now time.Time) error {
	rows := [][]string{{"WHAT", "KIND", "SIZE", "AGE", "NAME", "INSTALLED AS", "CONTAINERS"}}
	for _, item := range items {
		rows = append(rows, []string{item.What, item.Kind, item.size(), item.age(now), item.Title(),
			strings.Join(item.Installs, " "), strings.Join(item.Containers, " ")})
	}
	return Table(w, rows)
}

// Title is one name, or else the ID. JSON has all names.
func (i Item) Title() string {
	name, more, several := strings.Cut(i.Name, " ")
	if several {
		name += fmt.Sprintf(" (+%d)", 1+strings.Count(more, " "))
	}
	return cmp.Or(name, i.ID)
}

func (i Item) size() string {
	if i.Size == nil {
		return ""
	}
	return Size(*i.Size)
}

func (i Item) age(now time.Time) string {
	if i.Created == nil {
		return ""
	}
	return Age(now.Sub(*i.Created))
}

// Size formats bytes for people, in powers of 1000 as docker does.
func Size(bytes int64) string {
	size, units := float64(bytes), []string{"B", "kB", "MB", "GB", "TB"}
	for size >= 1000 && len(units) > 1 {
		size, units = size/1000, units[1:]
	}
	return fmt.Sprintf("%.3g %s", size, units[0])
}

// Age formats a duration for people.
func Age(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", max(0, d/time.Second))
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	default:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
}
