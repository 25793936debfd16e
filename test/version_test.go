// SPDX-License-Identifier: Apache-2.0

package test_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// readVersion returns the version of the sources.
func readVersion(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../VERSION")
	require.NoError(t, err)
	return strings.TrimSuffix(string(data), "\n")
}

var (
	versionForm = regexp.MustCompile(`^(\d+\.\d+\.\d+)(-dev)?$`)
	headingForm = regexp.MustCompile(`^(\d+\.\d+\.\d+) - \d{4}-\d\d-\d\d$`)
)

// checkChangelog returns what is wrong with the headings of a changelog for this version. A release has its heading on top.
// Before a release the topmost heading is Unreleased, the version ends in -dev, and the changelog says what comes next.
func checkChangelog(version, changelog string) error {
	match := versionForm.FindStringSubmatch(version)
	if match == nil {
		return fmt.Errorf("the version %q is neither X.Y.Z nor X.Y.Z-dev", version)
	}
	next, released := match[1], match[2] == ""
	var headings []string
	for line := range strings.Lines(changelog) {
		if heading, ok := strings.CutPrefix(line, "## "); ok {
			headings = append(headings, strings.TrimSpace(heading))
		}
	}
	switch unreleased := len(headings) > 0 && headings[0] == "Unreleased"; {
	case unreleased && released:
		return fmt.Errorf("the topmost heading is Unreleased, so the version %s must end in -dev", version)
	case unreleased && !strings.Contains(changelog, "\nThe next version is "+next+".\n"):
		return fmt.Errorf("the line \"The next version is %s.\" is missing under Unreleased", next)
	case unreleased:
		headings[0] = next + " - 9999-12-31"
	case len(headings) == 0 || !released || !strings.HasPrefix(headings[0], version+" - "):
		return fmt.Errorf("the topmost heading is not Unreleased, and not that of the version %s: %q", version, headings)
	}
	for i, heading := range headings {
		if !headingForm.MatchString(heading) {
			return fmt.Errorf("the heading %q is not X.Y.Z - YYYY-MM-DD", heading)
		}
		if i > 0 && slices.Compare(numbers(heading), numbers(headings[i-1])) >= 0 {
			return fmt.Errorf("the heading %q is not older than %s above it", heading, headings[i-1])
		}
	}
	return nil
}

// numbers returns X, Y and Z of a heading.
func numbers(heading string) []int {
	var found []int
	for _, text := range strings.Split(headingForm.FindStringSubmatch(heading)[1], ".") {
		number, _ := strconv.Atoi(text)
		found = append(found, number)
	}
	return found
}

func TestTheChangelogNamesTheVersion(t *testing.T) {
	changelog, err := os.ReadFile("../CHANGELOG.md")
	require.NoError(t, err)
	assert.NoError(t, checkChangelog(readVersion(t), string(changelog)))
}

func TestWhatAChangelogMaySay(t *testing.T) {
	const next = "\nThe next version is 0.2.0.\n"
	for name, test := range map[string]struct{ version, changelog, problem string }{
		"first":               {"0.2.0-dev", "## Unreleased\n" + next, ""},
		"next":                {"0.2.0-dev", "## Unreleased\n" + next + "## 0.1.9 - 2026-12-01\n## 0.1.0 - 2026-11-01\n", ""},
		"released":            {"0.10.0", "## 0.10.0 - 2026-12-02\n## 0.9.0 - 2026-12-01\n", ""},
		"no version":          {"v1", "## Unreleased\n", "neither"},
		"empty":               {"0.1.0", "", "not that of"},
		"still -dev":          {"0.2.0-dev", "## 0.2.0 - 2026-12-01\n", "not that of the version"},
		"released too early":  {"0.2.0", "## Unreleased\n" + next, "must end in -dev"},
		"next not named":      {"0.3.0-dev", "## Unreleased\n" + next, "is missing"},
		"already released":    {"0.2.0-dev", "## Unreleased\n" + next + "## 0.2.0 - 2026-12-01\n", "not older"},
		"another on top":      {"0.2.0", "## 0.1.0 - 2026-12-01\n", "not that of the version"},
		"without a date":      {"0.2.0", "## 0.2.0 - soon\n", "YYYY-MM-DD"},
		"order":               {"0.2.0", "## 0.2.0 - 2026-12-01\n## 0.2.1 - 2026-11-01\n", "not older"},
		"two unreleased ones": {"0.2.0-dev", "## Unreleased\n" + next + "## Unreleased\n", "YYYY-MM-DD"},
	} {
		t.Run(name, func(t *testing.T) {
			err := checkChangelog(test.version, test.changelog)
			if test.problem == "" {
				assert.NoError(t, err)
				return
			}
			assert.ErrorContains(t, err, test.problem)
		})
	}
}
