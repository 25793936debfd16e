// SPDX-License-Identifier: Apache-2.0

package figures

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// The first and the last line of the file. To Prometheus they are comments.
const (
	firstLine = "# Counters of fabric-builder-docker. Its build and run add to them; do not edit."
	lastLine  = "# EOF"
)

// errForeign is the error for a file that this program has not written.
var errForeign = errors.New("the file is not the builder's own, and is left as it is: move it away, or set another directory")

// errBroken is the error for a file that somebody has changed or cut off.
var errBroken = errors.New("the file is broken, and is left as it is: move it away to begin at 0")

// document is what the file holds. Lines that this version does not know are those of a later one, and stay.
type document struct {
	values map[string]float64 // by series
	lines  []string           // all but the first and the last
}

// parse reads the text of a file. It is strict, since whatever it misses would be lost.
func parse(text []byte) (document, error) {
	d := document{values: map[string]float64{}}
	if len(text) == 0 {
		return d, nil
	}
	lines := strings.Split(string(text), "\n")
	end := len(lines) - 2
	switch {
	case lines[0] != firstLine:
		return d, errForeign
	case end < 1 || lines[end] != lastLine || lines[end+1] != "":
		return d, fmt.Errorf("%w (its end is missing)", errBroken)
	}
	d.lines = lines[1:end]
	for i, line := range d.lines {
		if err := d.add(line); err != nil {
			return d, fmt.Errorf("%w (line %d: %w)", errBroken, i+2, err)
		}
	}
	return d, nil
}

// add adds the value that a line holds.
func (d *document) add(line string) error {
	name := metricOf(line)
	if !strings.HasPrefix(name, prefix) || !isName(name) {
		return errors.New("not a metric of the builder")
	}
	if isComment(line) {
		return nil
	}
	at := strings.LastIndexByte(line, ' ')
	if at < len(name) || !isLabels(line[len(name):at]) {
		return errors.New("no series and value")
	}
	value, err := strconv.ParseFloat(line[at+1:], 64)
	if err != nil || math.IsNaN(value) || math.IsInf(value, 0) {
		return errors.New("no value of a counter")
	}
	if _, twice := d.values[line[:at]]; twice {
		return errors.New("a series twice")
	}
	d.values[line[:at]] = value
	return nil
}

// isComment reports whether a line says what a metric is.
func isComment(line string) bool {
	return strings.HasPrefix(line, "# HELP ") || strings.HasPrefix(line, "# TYPE ")
}

// metricOf returns the name of the metric that a line is about.
func metricOf(line string) string {
	if isComment(line) {
		line = line[len("# HELP "):]
	}
	if at := strings.IndexAny(line, "{ "); at >= 0 {
		return line[:at]
	}
	return line
}

// isName reports whether text is the name of a metric or of a label.
func isName(text string) bool {
	for i, c := range []byte(text) {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return text != ""
}

// isLabels reports whether text is the labels of a series, {name="value",…}, or none.
func isLabels(text string) bool {
	if text == "" {
		return true
	}
	for separator := byte('{'); text != "" && text[0] == separator; separator = ',' {
		name, value, ok := strings.Cut(text[1:], `="`)
		end := endOfValue(value)
		if !ok || !isName(name) || end < 0 {
			return false
		}
		text = value[end+1:]
	}
	return text == "}"
}

// endOfValue returns where the quote is that ends the value of a label, or -1.
func endOfValue(text string) int {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			return i
		case '\\':
			if i++; i == len(text) || strings.IndexByte(`\"n`, text[i]) < 0 {
				return -1
			}
		}
	}
	return -1
}

// escape returns the value of a label as it stands between quotes.
func escape(value string) string {
	if !strings.ContainsAny(value, "\\\"\n") {
		return value
	}
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(value)
}

// text returns the file with what was counted since. The counters come first, in their order, then what is not known.
func (d *document) text(more map[string]float64) []byte {
	for series, value := range more {
		d.values[series] += value
	}
	lines := []string{firstLine}
	for _, c := range counters {
		name, all := prefix+c.name, c.all()
		for series := range d.values { // a later version may have more
			if strings.HasPrefix(series, name) && metricOf(series) == name && !slices.Contains(all, series) {
				all = append(all, series)
			}
		}
		slices.Sort(all)
		lines = append(lines, "# HELP "+name+" "+c.help, "# TYPE "+name+" counter")
		for _, series := range all {
			lines = append(lines, series+" "+formatValue(d.values[series]))
		}
	}
	for _, line := range d.lines {
		if !isKnown(metricOf(line)) {
			lines = append(lines, line)
		}
	}
	return []byte(strings.Join(append(lines, lastLine, ""), "\n"))
}

// isKnown reports whether a metric is one of the counters.
func isKnown(name string) bool {
	for _, c := range counters {
		if prefix+c.name == name {
			return true
		}
	}
	return false
}

// formatValue returns a value with milliseconds at most, so that the rounding of sums does not show.
func formatValue(value float64) string {
	return strconv.FormatFloat(math.Round(value*1000)/1000, 'f', -1, 64)
}
