package platform

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

// Snapshot is what of a package can be built ahead of its code: the installed dependencies.
type Snapshot struct {
	Files  []string // of the package, all that decides the result; paths in SOURCE_DIR
	Script string   // of the builder image: the build runs it where it is there
	Known  []string // SHA-256 of those scripts that do no more than install the dependencies of a copy of the code
}

// nodeBuildScript is the script of the official image that builds a package.
const nodeBuildScript = "/chaincode/build.sh"

// knownBuildScripts are those of the official images since 2.0: npm ci without development dependencies, where there
// is a lock file.
var knownBuildScripts = []string{
	"faa05dc8d58e243d66d4e6143446cb16d301cb3890d3d697425c0eb66f34624d", // 2.0 to 2.5.7
	"c59f31ea59d95c1a2a4453dedcb4f3c485e5469e5cc84d8eaed448cafb7536de", // 2.5.8
}

// npmLocks are the lock files, in npm's order.
var npmLocks = []string{"npm-shrinkwrap.json", "package-lock.json"}

// yarnLock is where npm, from 7 on, looks for a URL or a hash that its own lock file does not have.
const yarnLock = "yarn.lock"

// resolvedRemotely is a value of yarn.lock that is no file of the package.
var resolvedRemotely = regexp.MustCompile(`^"?(git\+)?(https?|ssh)://`)

// rootEvents are the package's own scripts that npm runs while it installs dependencies: preprepare and postprepare from
// npm 7 on, those around dependencies from 8.6 on, and those around shrinkwrap only in the npm install of npm 6.
var rootEvents = []string{
	"preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare",
	"predependencies", "dependencies", "postdependencies", "preshrinkwrap", "shrinkwrap", "postshrinkwrap",
}

// nodeSnapshot is the snapshot of a package, or the reason why its dependencies are installed together with its code:
// what npm installs must follow from the files of the snapshot alone.
func (r request) nodeSnapshot(m npmManifest) (snapshot *Snapshot, whole string) {
	locks := slices.DeleteFunc(slices.Clone(npmLocks), func(name string) bool { return !r.isFile("src/" + name) })
	rootScript := m.script(rootEvents...)
	switch {
	case !r.settings.Builder.Node.Snapshots:
		return nil, "builder.node.snapshots is false"
	case m.invalid != "":
		return nil, m.invalid
	case len(locks) == 0:
		return nil, "there is no lock file"
	case r.isDir("src/node_modules") || r.isFile("src/node_modules"):
		return nil, "the package brings node_modules"
	case rootScript != "":
		return nil, fmt.Sprintf("package.json has a script %q, which may use the code", rootScript)
	case r.isFile("src/binding.gyp"):
		return nil, "there is a binding.gyp, which npm builds"
	case r.isDir("src/.hooks"):
		return nil, "there is a .hooks directory, whose scripts npm 6 runs"
	case m.Workspaces:
		return nil, "package.json has workspaces"
	case slices.ContainsFunc(m.Dependencies, isLocal):
		return nil, "a dependency is a file of the package"
	case !r.plainNPMRC():
		return nil, ".npmrc has settings that may refer to files"
	case !r.plainYarnLock():
		return nil, "yarn.lock may refer to a file of the package"
	}
	for _, name := range locks {
		if reason := r.checkLock(name); reason != "" {
			return nil, reason
		}
	}
	snapshot = &Snapshot{Script: nodeBuildScript, Known: append(slices.Clone(knownBuildScripts), r.settings.Builder.Node.KnownScripts...)}
	for _, name := range slices.Concat([]string{".npmrc", "package.json"}, locks, []string{yarnLock}) {
		if r.isFile("src/" + name) {
			snapshot.Files = append(snapshot.Files, r.at("src/"+name))
		}
	}
	return snapshot, ""
}

// snapshotSettings are the settings that decide whether dependencies are installed ahead of the code, which one of them
// may look at.
func (r request) snapshotSettings() []string {
	node := r.settings.Builder.Node
	return append([]string{fmt.Sprintf("builder.node.snapshots=%t", node.Snapshots)}, node.KnownScripts...)
}

// npmLock is a lock file of any version: packages from version 2 on, dependencies up to it.
type npmLock struct {
	Packages     map[string]npmLocked
	Dependencies map[string]npmNested
}

type npmLocked struct {
	Link     bool
	Resolved any // a URL; a boolean in some files
	Version  string
}

// npmNested is what only versions below 3 have: there packages stand in one another.
type npmNested struct {
	npmLocked
	Dependencies map[string]npmNested
}

// checkLock says what in a lock file is a file of the package, if so.
func (r request) checkLock(name string) string {
	text, err := fs.ReadFile(r.content.FS, r.at("src/"+name))
	if err != nil {
		return fmt.Sprintf("%s cannot be read: %v", name, err)
	}
	var lock npmLock
	if err := json.Unmarshal(text, &lock); err != nil {
		return fmt.Sprintf("%s is not as npm writes it: %v", name, err)
	}
	for path, locked := range lock.Packages {
		if path != "" && !strings.HasPrefix(path, "node_modules/") || path != "" && locked.isLocal() {
			return fmt.Sprintf("%s: %s is a file of the package", name, path)
		}
	}
	if local := localIn(lock.Dependencies); local != "" {
		return fmt.Sprintf("%s: %s is a file of the package", name, local)
	}
	return ""
}

func (l npmLocked) isLocal() bool {
	resolved, _ := l.Resolved.(string)
	return l.Link || isLocal(resolved) || isLocal(l.Version)
}

// plainYarnLock says whether nothing that yarn.lock refers to, if there is one, is a file of the package.
func (r request) plainYarnLock() bool {
	if !r.isFile("src/" + yarnLock) {
		return true
	}
	text, err := fs.ReadFile(r.content.FS, r.at("src/"+yarnLock))
	if err != nil {
		return false
	}
	for _, line := range npmLines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if strings.Trim(key, `"`) == "resolved" && !resolvedRemotely.MatchString(value) {
			return false
		}
	}
	return true
}

// localIn is the name of a dependency that is local, at whatever depth; empty where none is.
func localIn(dependencies map[string]npmNested) string {
	for name, locked := range dependencies {
		if locked.isLocal() {
			return name
		}
		if nested := localIn(locked.Dependencies); nested != "" {
			return nested
		}
	}
	return ""
}
