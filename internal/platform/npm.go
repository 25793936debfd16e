// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"

	"fabric-builder-docker/internal/metadata"
)

// npmManifest holds the fields of package.json that decide how a package can be built and started. If a field does not
// have the documented type, the manifest is invalid: the package is then built and started by npm alone, which handles
// such fields in its own way.
type npmManifest struct {
	Name         string
	Version      string
	Scripts      map[string]string
	Dependencies []string // references of all kinds of dependencies
	Required     []string // names of the dependencies that npm must install, sorted
	Workspaces   bool
	Config       bool     // there are values that npm passes to scripts in variables
	Members      []string // patterns for the directories of workspaces
	invalid      string   // why the other fields cannot be relied on; empty if they can
}

// readManifest reads package.json. It returns an error if the file is not a JSON object, which npm would only report
// after the build has started.
func (r request) readManifest() (npmManifest, error) {
	name := r.sourcePath("src/package.json")
	text, err := metadata.ReadFile(r.content.FS, name)
	if err != nil {
		return npmManifest{}, fmt.Errorf("reading %s: %w", name, err)
	}
	var content map[string]json.RawMessage
	if err := json.Unmarshal([]byte(strings.TrimPrefix(string(text), "\ufeff")), &content); err != nil {
		return npmManifest{}, fmt.Errorf("%s is not a JSON object: %w", name, err)
	}
	if content == nil {
		return npmManifest{}, fmt.Errorf("%s is not a JSON object: null", name)
	}
	return parseManifest(content), nil
}

// npmDependencies lists the fields with dependencies. npm does not install development dependencies, but it reads them.
var npmDependencies = []string{"dependencies", "optionalDependencies", "peerDependencies", "devDependencies"}

func parseManifest(content map[string]json.RawMessage) npmManifest {
	m := npmManifest{}
	read := func(field string, v any) {
		if raw, ok := content[field]; ok && json.Unmarshal(raw, v) != nil {
			m.invalid = fmt.Sprintf("%q in package.json is invalid", field)
		}
	}
	read("name", &m.Name)
	read("version", &m.Version)
	read("scripts", &m.Scripts)
	named := map[string]map[string]string{}
	for _, field := range npmDependencies {
		var references map[string]string
		read(field, &references)
		named[field] = references
		for _, reference := range references {
			m.Dependencies = append(m.Dependencies, reference)
		}
	}
	m.Required = required(named["dependencies"], named["optionalDependencies"], named["devDependencies"])
	var overrides any
	read("overrides", &overrides)
	m.Dependencies = append(m.Dependencies, collectStrings(overrides)...)
	_, m.Workspaces = content["workspaces"]
	_, m.Config = content["config"]
	m.Members = workspacePatterns(content["workspaces"])
	if m.invalid != "" {
		m.Required = nil
	}
	return m
}

// required returns the names in dependencies that others does not contain, sorted. For npm, a dependency that is also
// optional or for development is only that.
func required(dependencies map[string]string, others ...map[string]string) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(dependencies)), func(name string) bool {
		return slices.ContainsFunc(others, func(other map[string]string) bool { _, ok := other[name]; return ok })
	})
}

// workspacePatterns returns the patterns in the field workspaces: a list, or an object that holds it.
func workspacePatterns(raw json.RawMessage) []string {
	var patterns []string
	if json.Unmarshal(raw, &patterns) == nil {
		return patterns
	}
	var object struct{ Packages []string }
	_ = json.Unmarshal(raw, &object) // npm reports what is invalid
	return object.Packages
}

// collectStrings returns all strings in a JSON value, at any depth, without the keys of objects.
func collectStrings(value any) []string {
	var all []string
	switch value := value.(type) {
	case string:
		all = append(all, value)
	case []any:
		for _, nested := range value {
			all = append(all, collectStrings(nested)...)
		}
	case map[string]any:
		for _, nested := range value {
			all = append(all, collectStrings(nested)...)
		}
	}
	return all
}

// firstScript returns the first of the given names that is a script of the package, or an empty string.
func (m npmManifest) firstScript(names ...string) string {
	for _, name := range names {
		if _, ok := m.Scripts[name]; ok {
			return name
		}
	}
	return ""
}

// The kinds of references in dependencies. npm first checks for a path, then for a URL or a repository (user@host:path,
// owner/name). It treats anything else with a slash, or with the extension of an archive, as a path.
var (
	localPath  = regexp.MustCompile(`(?i)^(\.|~?/|[a-z]:|(git\+)?file:|link:|portal:|workspace:)`)
	remoteURL  = regexp.MustCompile(`(?i)^(git\+)?[a-z]+:`)
	repository = regexp.MustCompile(`^([^@]+@[^:.]+\.[^:]+:.+|[^:@%/\s.-][^:@%/\s]*/[^:@\s/%]+(#.*)?)$`)
	archive    = regexp.MustCompile(`(?i)\.(tgz|tar\.gz|tar)$`)
)

// isLocal reports whether a dependency refers to the file system: file:, link:, workspace:, a path, or an archive.
func isLocal(reference string) bool {
	switch {
	case localPath.MatchString(reference):
		return true
	case archive.MatchString(reference):
		return !strings.Contains(reference, "://")
	case remoteURL.MatchString(reference), repository.MatchString(reference):
		return false
	}
	return strings.Contains(reference, "/")
}

// npmConfig lists the keys of .npmrc that, whatever their value, neither refer to files nor change how npm runs programs.
var npmConfig = []string{
	"audit", "engine-strict", "fetch-retries", "fetch-retry-factor", "fetch-retry-maxtimeout", "fetch-retry-mintimeout",
	"fetch-timeout", "fund", "https-proxy", "ignore-scripts", "include", "install-strategy", "legacy-peer-deps", "loglevel", "maxsockets",
	"noproxy", "omit", "prefer-dedupe", "prefer-offline", "progress", "proxy", "registry", "save", "save-exact", "save-prefix",
	"strict-peer-deps", "strict-ssl", "update-notifier",
}

// npmAuth lists the keys of a single registry, which follow //HOST/PATH/: in .npmrc.
var npmAuth = []string{"_authToken", "_auth", "_password", "username", "email", "always-auth"}

// plainNPMRC reports whether the package has no .npmrc, or one with only keys that plainKey accepts.
func (r request) plainNPMRC() bool {
	text, err := metadata.ReadFile(r.content.FS, r.sourcePath("src/.npmrc"))
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	for _, line := range npmLines(text) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		key, _, _ := strings.Cut(line, "=")
		if !plainKey(strings.TrimSuffix(strings.TrimSpace(key), "[]")) {
			return false
		}
	}
	return true
}

// npmLines splits a text into lines as npm does: a carriage return also ends a line.
func npmLines(text []byte) []string {
	return strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' || r == '\r' })
}

func plainKey(key string) bool {
	switch at := strings.LastIndexByte(key, ':'); {
	case strings.HasPrefix(key, "//") && at > 1:
		return slices.Contains(npmAuth, key[at+1:])
	case strings.HasPrefix(key, "@") && at > 0:
		return key[at+1:] == "registry"
	}
	return slices.Contains(npmConfig, key)
}
