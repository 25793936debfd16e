package platform

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

// npmManifest is what of package.json decides how a package may be built and started. Fields that are not as npm
// documents them make it strange, which is npm's business; nothing is then done in another way than npm's own.
type npmManifest struct {
	Name         string
	Version      string
	Scripts      map[string]string
	Dependencies []string // what dependencies of every kind refer to
	Workspaces   bool
	invalid      string // why nothing of this can be relied on; empty when it can
}

// npmManifest reads package.json, and finds what npm would stumble over after minutes.
func (r request) npmManifest() (npmManifest, error) {
	name := r.at("src/package.json")
	text, err := fs.ReadFile(r.content.FS, name)
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

// npmDependencies are the fields that name packages. Development dependencies are not installed, but npm looks at them.
var npmDependencies = []string{"dependencies", "optionalDependencies", "peerDependencies", "devDependencies"}

func parseManifest(content map[string]json.RawMessage) npmManifest {
	m := npmManifest{}
	read := func(field string, into any) {
		if raw, ok := content[field]; ok && json.Unmarshal(raw, into) != nil {
			m.invalid = fmt.Sprintf("%q of package.json is not as npm documents it", field)
		}
	}
	read("name", &m.Name)
	read("version", &m.Version)
	read("scripts", &m.Scripts)
	for _, field := range npmDependencies {
		var references map[string]string
		read(field, &references)
		for _, reference := range references {
			m.Dependencies = append(m.Dependencies, reference)
		}
	}
	var overrides any
	read("overrides", &overrides)
	m.Dependencies = append(m.Dependencies, textsIn(overrides)...)
	_, m.Workspaces = content["workspaces"]
	return m
}

// textsIn are the strings in a JSON value, at whatever depth; names of fields are none of them.
func textsIn(value any) []string {
	var texts []string
	switch value := value.(type) {
	case string:
		texts = append(texts, value)
	case []any:
		for _, nested := range value {
			texts = append(texts, textsIn(nested)...)
		}
	case map[string]any:
		for _, nested := range value {
			texts = append(texts, textsIn(nested)...)
		}
	}
	return texts
}

// script is the first of these scripts that there is.
func (m npmManifest) script(names ...string) string {
	for _, name := range names {
		if _, ok := m.Scripts[name]; ok {
			return name
		}
	}
	return ""
}

// What a dependency may refer to. npm looks for a path first, then for a URL or a repository (user@host:path, owner/name);
// whatever else has a slash, or ends as an archive does, is a path again.
var (
	localPath  = regexp.MustCompile(`(?i)^(\.|~?/|[a-z]:|(git\+)?file:|link:|portal:|workspace:)`)
	remoteURL  = regexp.MustCompile(`(?i)^(git\+)?[a-z]+:`)
	repository = regexp.MustCompile(`^([^@]+@[^:.]+\.[^:]+:.+|[^:@%/\s.-][^:@%/\s]*/[^:@\s/%]+(#.*)?)$`)
	archive    = regexp.MustCompile(`(?i)\.(tgz|tar\.gz|tar)$`)
)

// isLocal says whether a dependency refers to the file system: file:, link:, workspace:, a path, or an archive.
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

// npmConfig are keys of .npmrc that neither refer to files nor change how programs are called, whatever their value.
var npmConfig = []string{
	"audit", "engine-strict", "fetch-retries", "fetch-retry-factor", "fetch-retry-maxtimeout", "fetch-retry-mintimeout",
	"fetch-timeout", "fund", "https-proxy", "ignore-scripts", "include", "install-strategy", "legacy-peer-deps", "loglevel", "maxsockets",
	"noproxy", "omit", "prefer-dedupe", "prefer-offline", "progress", "proxy", "registry", "save", "save-exact", "save-prefix",
	"strict-peer-deps", "strict-ssl", "update-notifier",
}

// npmAuth are keys of a registry of its own, behind //HOST/PATH/:.
var npmAuth = []string{"_authToken", "_auth", "_password", "username", "email", "always-auth"}

// plainNPMRC says whether the package's .npmrc, if there is one, has nothing but such keys.
func (r request) plainNPMRC() bool {
	text, err := fs.ReadFile(r.content.FS, r.at("src/.npmrc"))
	if err != nil {
		return true
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

// npmLines are the lines of a text as npm splits it: a carriage return ends one as well.
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
