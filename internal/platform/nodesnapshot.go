// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"fabric-builder-docker/internal/metadata"
)

// nodeBuildScript is the build script of the official Node image.
const nodeBuildScript = "/chaincode/build.sh"

// knownBuildScripts lists the SHA-256 of the build scripts of the official images since 2.0. With a lock file they run
// npm ci without development dependencies.
var knownBuildScripts = []string{
	"faa05dc8d58e243d66d4e6143446cb16d301cb3890d3d697425c0eb66f34624d", // 2.0 to 2.5.7
	"c59f31ea59d95c1a2a4453dedcb4f3c485e5469e5cc84d8eaed448cafb7536de", // 2.5.8
}

// npmLocks lists the names of lock files in npm's order of precedence.
var npmLocks = []string{"npm-shrinkwrap.json", "package-lock.json"}

// noLockFile is why npm chooses versions when it installs.
const noLockFile = "there is no lock file"

// yarnLock is the file in which npm 7 and later look for URLs and hashes that npm's own lock file lacks.
const yarnLock = "yarn.lock"

// resolvedRemotely matches a resolved value in yarn.lock that does not refer to a file in the package.
var resolvedRemotely = regexp.MustCompile(`^"?(git\+)?(https?|ssh)://`)

// rootEvents lists the scripts of the package itself that npm may run while it installs dependencies. npm runs preprepare
// and postprepare since 7, the dependencies scripts since 8.6, and the shrinkwrap scripts only in npm 6's npm install.
var rootEvents = []string{
	"preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare",
	"predependencies", "dependencies", "postdependencies", "preshrinkwrap", "shrinkwrap", "postshrinkwrap",
}

// nodeSnapshot returns the snapshot of a package, or the reason why its dependencies must be installed together with its
// code. A package has a snapshot only if the files of the snapshot alone determine what npm installs.
func (r request) nodeSnapshot(m npmManifest, contained vendoring, lacking string) (snapshot *Snapshot, noSnapshotReason string) {
	locks := slices.DeleteFunc(slices.Clone(npmLocks), func(name string) bool { return !r.isFile("src/" + name) })
	rootScript := m.firstScript(rootEvents...)
	switch {
	case !r.settings.Builder.Snapshots:
		return nil, "builder.snapshots is false"
	case !r.settings.Builder.Node.Snapshots:
		return nil, "builder.node.snapshots is false"
	case m.invalid != "":
		return nil, m.invalid
	case lacking != "":
		return nil, fmt.Sprintf("node_modules in the package lacks %s", lacking)
	case contained != noModules || r.isFile("src/node_modules"):
		return nil, "the package contains node_modules"
	case len(locks) == 0:
		return nil, noLockFile
	case rootScript != "":
		return nil, fmt.Sprintf("package.json has a script %q, which may use the code", rootScript)
	case r.isFile("src/binding.gyp"):
		return nil, "the package has a binding.gyp, which npm builds"
	case r.isDir("src/.hooks"):
		return nil, "the package has a .hooks directory, whose scripts npm 6 runs"
	case m.Workspaces:
		return nil, "package.json has workspaces"
	case slices.ContainsFunc(m.Dependencies, isLocal):
		return nil, "a dependency refers to a file in the package"
	case !r.plainNPMRC():
		return nil, ".npmrc has settings that may refer to files"
	case !r.plainYarnLock():
		return nil, "yarn.lock may refer to a file in the package"
	}
	for _, name := range locks {
		if reason := r.checkLock(name); reason != "" {
			return nil, reason
		}
	}
	snapshot = &Snapshot{
		Script: nodeBuildScript, Known: append(slices.Clone(knownBuildScripts), r.settings.Builder.Node.KnownScripts...),
		Environment: slices.Sorted(slices.Values(r.npmEnvironment().without(proxies...))),
	}
	for _, name := range slices.Concat([]string{".npmrc", "package.json"}, locks, []string{yarnLock}) {
		if r.isFile("src/" + name) {
			snapshot.Files = append(snapshot.Files, r.sourcePath("src/"+name))
		}
	}
	return snapshot, ""
}

// snapshotInputs returns the settings that decide whether dependencies are installed ahead of the code. They can change
// the image, since an install script of a dependency may look at the code if it is there.
func (r request) snapshotInputs() []string {
	node := r.settings.Builder.Node
	return append([]string{fmt.Sprintf("builder.node.snapshots=%t", r.settings.Builder.Snapshots && node.Snapshots)}, node.KnownScripts...)
}

// npmLock is a lock file of any version. Packages exists since version 2, Dependencies up to version 2.
type npmLock struct {
	Packages     map[string]npmLocked
	Dependencies map[string]npmNested
}

type npmLocked struct {
	Link     bool
	Resolved any // usually a URL, but a boolean in some files
	Version  string
}

// npmNested is an entry of Dependencies, whose entries can be nested.
type npmNested struct {
	npmLocked
	Dependencies map[string]npmNested
}

// checkLock returns why a lock file rules out a snapshot: it is invalid, or it refers to a file in the package. It returns
// an empty string if it does neither.
func (r request) checkLock(name string) string {
	text, err := metadata.ReadFile(r.content.FS, r.sourcePath("src/"+name))
	if err != nil {
		return fmt.Sprintf("cannot read %s: %v", name, err)
	}
	var lock npmLock
	if err := json.Unmarshal(text, &lock); err != nil {
		return fmt.Sprintf("%s is not a valid npm lock file: %v", name, err)
	}
	for path, locked := range lock.Packages {
		if path != "" && !strings.HasPrefix(path, "node_modules/") || path != "" && locked.isLocal() {
			return fmt.Sprintf("%s: %s refers to a file in the package", name, path)
		}
	}
	if local := findLocal(lock.Dependencies); local != "" {
		return fmt.Sprintf("%s: %s refers to a file in the package", name, local)
	}
	return ""
}

func (l npmLocked) isLocal() bool {
	resolved, _ := l.Resolved.(string)
	return l.Link || isLocal(resolved) || isLocal(l.Version)
}

// plainYarnLock reports whether the package has no yarn.lock, or one that does not refer to files in the package.
func (r request) plainYarnLock() bool {
	if !r.isFile("src/" + yarnLock) {
		return true
	}
	text, err := metadata.ReadFile(r.content.FS, r.sourcePath("src/"+yarnLock))
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

// findLocal returns the name of a dependency, at any depth, that refers to a file in the package, or an empty string if
// there is none.
func findLocal(dependencies map[string]npmNested) string {
	for name, locked := range dependencies {
		if locked.isLocal() {
			return name
		}
		if nested := findLocal(locked.Dependencies); nested != "" {
			return nested
		}
	}
	return ""
}
