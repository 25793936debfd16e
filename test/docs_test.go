// SPDX-License-Identifier: Apache-2.0

package test_test

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// page is a Markdown file: its path from the module's root, and its lines outside of code and within.
type page struct {
	name   string
	prose  []string
	blocks []block
}

// block is a block of code, fenced or indented by four columns.
type block struct {
	line     int
	language string // empty: indented, or a fence without one
	lines    []string
}

// pages reads all Markdown files of the module.
func pages(t *testing.T) []page {
	t.Helper()
	var all []page
	require.NoError(t, filepath.WalkDir("..", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && (entry.Name() == ".work" || entry.Name() == "node_modules" || entry.Name() == ".git") {
			return fs.SkipDir
		}
		if err != nil || entry.IsDir() || filepath.Ext(name) != ".md" {
			return err
		}
		text, err := os.ReadFile(name)
		all = append(all, parsePage(filepath.ToSlash(strings.TrimPrefix(name, "../")), string(text)))
		return err
	}))
	require.Greater(t, len(all), 10)
	return all
}

var fence = regexp.MustCompile("^ *```(\\w*)$")

// parsePage separates code from prose. A block that is indented begins after an empty line, and below an item of a list it
// is indented by three more columns.
func parsePage(name, text string) page {
	p := page{name: name}
	var open *block
	fenced, previous := false, ""
	for i, line := range strings.Split(text, "\n") {
		start := fence.FindStringSubmatch(line)
		indented := strings.HasPrefix(line, "    ")
		switch {
		case fenced && start != nil:
			fenced, open = false, nil
		case start != nil:
			p.blocks = append(p.blocks, block{line: i + 1, language: start[1]})
			fenced, open = true, &p.blocks[len(p.blocks)-1]
		case fenced, open != nil && indented:
			open.lines = append(open.lines, line)
		case indented && previous == "":
			p.blocks = append(p.blocks, block{line: i + 1, lines: []string{line}})
			open = &p.blocks[len(p.blocks)-1]
		default:
			if line != "" {
				open = nil
			}
			p.prose = append(p.prose, line)
		}
		previous = strings.TrimSpace(line)
	}
	return p
}

var (
	codeSpan = regexp.MustCompile("`[^`]*`")
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	linked   = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	heading  = regexp.MustCompile(`^#{1,6} +(.*)$`)
	notSlug  = regexp.MustCompile(`[^\p{L}\p{N}_\- ]`)
)

// anchors returns what GitHub calls the headings of a page.
func (p page) anchors() map[string]bool {
	found, count := map[string]bool{}, map[string]int{}
	for _, line := range p.prose {
		match := heading.FindStringSubmatch(line)
		if match == nil {
			continue
		}
		text := linked.ReplaceAllString(match[1], "$1")
		slug := strings.ReplaceAll(notSlug.ReplaceAllString(strings.ToLower(text), ""), " ", "-")
		name := slug
		if n := count[slug]; n > 0 {
			name = fmt.Sprintf("%s-%d", slug, n)
		}
		count[slug]++
		found[name] = true
	}
	return found
}

// links returns the targets of the links of a page.
func (p page) links() []string {
	var found []string
	for _, match := range link.FindAllStringSubmatch(codeSpan.ReplaceAllString(strings.Join(p.prose, "\n"), ""), -1) {
		found = append(found, match[1])
	}
	return found
}

func TestEveryLinkOfTheDocumentationLeadsSomewhere(t *testing.T) {
	all := map[string]page{}
	for _, p := range pages(t) {
		all[p.name] = p
	}
	checked := 0
	for _, p := range all {
		for _, target := range p.links() {
			if strings.Contains(target, "://") {
				assert.True(t, strings.HasPrefix(target, "https://"), "%s links to %s: use https", p.name, target)
				continue
			}
			checked++
			name, anchor, _ := strings.Cut(target, "#")
			file := path.Join(path.Dir(p.name), name)
			if name == "" {
				file = p.name
			}
			_, err := os.Stat(filepath.Join("..", file))
			assert.NoError(t, err, "%s links to %s", p.name, target)
			if anchor != "" {
				assert.True(t, all[file].anchors()[anchor], "%s links to %s: no heading of %s has that name", p.name, target, file)
			}
		}
	}
	assert.Greater(t, checked, 50, "links are no longer found")
}

// Whoever looks for a page starts from the README.
func TestEveryPageIsReachedFromTheReadme(t *testing.T) {
	all, reached := map[string]page{}, map[string]bool{"README.md": true}
	for _, p := range pages(t) {
		all[p.name] = p
	}
	for queue := []string{"README.md"}; len(queue) > 0; queue = queue[1:] {
		for _, target := range all[queue[0]].links() {
			name, _, _ := strings.Cut(target, "#")
			if file := path.Join(path.Dir(queue[0]), name); all[file].name != "" && !reached[file] {
				reached[file] = true
				queue = append(queue, file)
			}
		}
	}
	for name := range all {
		assert.True(t, reached[name] || path.Dir(name) != "docs", "no link leads from the README to %s", name)
	}
}

var mention = regexp.MustCompile(`\bdocs/([\w-]+\.md)(?:#([\w-]+))?`)

// The programs, their settings and their messages name pages.
func TestEveryPageThatIsNamedExists(t *testing.T) {
	all := map[string]page{}
	for _, p := range pages(t) {
		all[p.name] = p
	}
	checked := 0
	for _, dir := range []string{"cmd", "internal", "packaging", "Makefile", ".ci"} {
		require.NoError(t, filepath.WalkDir(filepath.Join("..", dir), func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			text, err := os.ReadFile(name)
			for _, match := range mention.FindAllStringSubmatch(string(text), -1) {
				checked++
				p, ok := all["docs/"+match[1]]
				assert.True(t, ok, "%s names %s", name, match[0])
				assert.True(t, match[2] == "" || p.anchors()[match[2]], "%s names %s", name, match[0])
			}
			return err
		}))
	}
	assert.Greater(t, checked, 10)
}

func TestWrongAnchorsAreFound(t *testing.T) {
	p := parsePage("a.md", "# One `two`: a/b\n\n# One\n\n## One\n\n[a](b.md#c) `[x](y)`\n\n    [code](no)\n\n```sh\n# comment\n```\n")
	assert.Equal(t, map[string]bool{"one-two-ab": true, "one": true, "one-1": true}, p.anchors())
	assert.Equal(t, []string{"b.md#c"}, p.links())
	assert.Equal(t, []block{{9, "", []string{"    [code](no)"}}, {11, "sh", []string{"# comment"}}}, p.blocks)
}
