package platform

import (
	"encoding/json"
	"fmt"
	"io/fs"
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
	strange      string // why nothing of this can be relied on; empty when it can
}

// npmManifest reads package.json, and finds what npm would stumble over after minutes.
func (r request) npmManifest() (npmManifest, error) {
	name := r.at("src/package.json")
	text, err := fs.ReadFile(r.source, name)
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
			m.strange = fmt.Sprintf("%q of package.json is not as npm documents it", field)
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
	_, m.Workspaces = content["workspaces"]
	return m
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

// isLocal says whether a dependency refers to the file system: file:, link:, workspace:, a path, or an archive.
func isLocal(reference string) bool {
	for _, prefix := range []string{"file:", "git+file:", "link:", "portal:", "workspace:", ".", "/", "~/"} {
		if strings.HasPrefix(reference, prefix) {
			return true
		}
	}
	archive := slices.ContainsFunc([]string{".tgz", ".tar.gz", ".tar"}, func(end string) bool { return strings.HasSuffix(reference, end) })
	return archive && !strings.Contains(reference, "://")
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
	text, err := fs.ReadFile(r.source, r.at("src/.npmrc"))
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
