// SPDX-License-Identifier: Apache-2.0

// Package symptoms reads docs/troubleshooting.md, so that tests can compare the lines it quotes with those that the programs
// print.
package symptoms

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// Anything stands in a quoted line for what differs from case to case.
const Anything = "…"

// Section is a symptom of the page.
type Section struct {
	Name  string
	Lines []string // as quoted
}

// Read returns the symptoms of docs/troubleshooting.md, in order. Each has a heading of the third level, and quotes lines of the
// log in an indented block.
func Read() ([]Section, error) {
	_, here, _, _ := runtime.Caller(0)
	page, err := os.ReadFile(filepath.Join(filepath.Dir(here), "..", "..", "docs", "troubleshooting.md"))
	if err != nil {
		return nil, fmt.Errorf("reading the page: %w", err)
	}
	var sections []Section
	for line := range strings.Lines(string(page)) {
		line = strings.TrimSuffix(line, "\n")
		name, heading := strings.CutPrefix(line, "### ")
		quoted, isQuoted := strings.CutPrefix(line, "    ")
		switch {
		case heading:
			sections = append(sections, Section{Name: name})
		case strings.HasPrefix(line, "## "):
			sections = append(sections, Section{}) // what follows belongs to no symptom
		case isQuoted && len(sections) > 0:
			last := &sections[len(sections)-1]
			last.Lines = append(last.Lines, quoted)
		}
	}
	var named []Section
	for _, section := range sections {
		if section.Name != "" {
			named = append(named, section)
		}
	}
	return named, nil
}

// Find returns the section of a symptom.
func Find(name string) (Section, error) {
	sections, err := Read()
	for _, section := range sections {
		if section.Name == name {
			return section, err
		}
	}
	return Section{}, errors.Join(err, fmt.Errorf("docs/troubleshooting.md has no symptom %q", name))
}

// subject is what names the package or the chaincode at the end of a line: the page leaves it out.
var subject = regexp.MustCompile(`: (label=\S+( (package_id|directory)=\S+)?|chaincode_id=\S+)$`)

// Missing returns the quoted lines of a section that are not among the printed ones.
func (s Section) Missing(printed string) []string {
	lines := strings.Split(printed, "\n")
	for i, line := range lines {
		lines[i] = subject.ReplaceAllString(line, "")
	}
	var missing []string
	for _, quoted := range s.Lines {
		pattern := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(quoted), Anything, ".+") + "$")
		found := false
		for _, line := range lines {
			found = found || pattern.MatchString(line)
		}
		if !found {
			missing = append(missing, quoted)
		}
	}
	return missing
}
