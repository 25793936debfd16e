// SPDX-License-Identifier: Apache-2.0

package test_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	testName = regexp.MustCompile(`\bTest[A-Z]\w+`)
	testFunc = regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)
)

// namesOfTests returns the names of all tests of this module.
func namesOfTests(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	require.NoError(t, filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && entry.Name() == ".work" {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		code, err := os.ReadFile(path)
		for _, match := range testFunc.FindAllSubmatch(code, -1) {
			known[string(match[1])] = true
		}
		return err
	}))
	return known
}

// docs/parity.md names tests in every row.
func TestEveryRowOfTheParityTableHasATest(t *testing.T) {
	known := namesOfTests(t)
	table, err := os.ReadFile("../docs/parity.md")
	require.NoError(t, err)
	rows := 0
	for line := range strings.Lines(string(table)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if !strings.HasPrefix(line, "| ") || len(cells) < 2 || strings.TrimSpace(cells[0]) == "the built-in controller" {
			continue
		}
		rows++
		names := testName.FindAllString(cells[len(cells)-1], -1)
		assert.NotEmpty(t, names, "row without a test: %s", line)
		for _, name := range names {
			assert.True(t, known[name], "no test is called %s: %s", name, line)
		}
	}
	assert.Greater(t, rows, 30, "the table is missing or shorter than expected")
}
