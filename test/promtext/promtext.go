// SPDX-License-Identifier: Apache-2.0

// Package promtext reads Prometheus' text format, version 0.0.4, for tests. It is stricter than Prometheus: each metric is a
// counter with HELP and TYPE before its series, which are together, and its name ends in _total.
package promtext

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

var (
	help   = regexp.MustCompile(`^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) ((?:[^\\]|\\\\|\\n)+)$`)
	kind   = regexp.MustCompile(`^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) counter$`)
	sample = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:` + pair + `)(?:,` + pair + `)*\})? (\S+)$`)
)

const pair = `[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\\\|\\"|\\n)*"`

// Parse returns the values of all series by their text, such as name{label="value"}.
func Parse(text string) (map[string]float64, error) {
	values, seen := map[string]float64{}, map[string]bool{}
	if !strings.HasSuffix(text, "\n") {
		return nil, fmt.Errorf("the last line does not end: %q", text)
	}
	var helped, current string
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		fail := func(reason string) (map[string]float64, error) {
			return nil, fmt.Errorf("line %d, %q: %s", i+1, line, reason)
		}
		if found := help.FindStringSubmatch(line); found != nil {
			if helped = found[1]; seen[helped] {
				return fail("HELP twice")
			}
			seen[helped], current = true, ""
			continue
		}
		if found := kind.FindStringSubmatch(line); found != nil {
			if current != "" || found[1] != helped {
				return fail("TYPE without HELP")
			}
			if current = helped; !strings.HasSuffix(current, "_total") {
				return fail("a counter whose name does not end in _total")
			}
			continue
		}
		if strings.HasPrefix(line, "#") {
			if strings.HasPrefix(line, "# HELP") || strings.HasPrefix(line, "# TYPE") {
				return fail("not in the format")
			}
			continue
		}
		found := sample.FindStringSubmatch(line)
		if found == nil {
			return fail("not in the format")
		}
		if found[1] != current {
			return fail("a series outside of its metric")
		}
		value, err := strconv.ParseFloat(found[3], 64)
		if err != nil || value < 0 {
			return fail("not the value of a counter")
		}
		series := found[1] + found[2]
		if _, twice := values[series]; twice {
			return fail("a series twice")
		}
		values[series] = value
	}
	return values, nil
}
