// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"fabric-builder-docker/internal/content"
)

// DownloadsFile is the file in which a java build container lists what its build has downloaded.
const DownloadsFile = CacheDir + "/downloads"

// maxDownloadsList limits the size of DownloadsFile. A package chooses what its build downloads.
const maxDownloadsList = 32 << 20

// Downloads is what a java build has downloaded.
type Downloads struct {
	Status int                 // exit status of the build
	Above  []content.Directory // the directories above the stores, outermost first
	stores []store
	files  map[string]bool // new files in the stores
	local  map[string]bool // directories of Maven's repository with something that the build itself has put there
}

// A store is a directory in which a build tool keeps what it downloads.
type store struct {
	kind string
	dir  string
}

// The kinds of stores.
const (
	mavenStore  = "maven"  // Maven's local repository
	gradleStore = "gradle" // Gradle's cache of modules
	toolStore   = "tool"   // unpacked build tools and JDKs
)

// ParseDownloads reads a DownloadsFile. Its lines are
//
//	status STATUS           exit status of the build
//	maven|gradle|tool DIR   a store
//	file PATH               a new or changed file in a store
//	installed PATH          a new _remote.repositories that names files that were not downloaded
//	parent MODE UID GID DIR a directory above a store
//
// Other lines are parts of names that contain a line feed. Such files are ignored.
func ParseDownloads(r io.Reader) (Downloads, error) {
	d := Downloads{files: map[string]bool{}, local: map[string]bool{}}
	limited := &io.LimitedReader{R: r, N: maxDownloadsList}
	lines := bufio.NewScanner(limited)
	for lines.Scan() {
		kind, rest, _ := strings.Cut(lines.Text(), " ")
		switch kind {
		case "status":
			status, err := strconv.Atoi(rest)
			if err != nil {
				return Downloads{}, fmt.Errorf("invalid status %q", rest)
			}
			d.Status = status
		case mavenStore, gradleStore, toolStore:
			d.stores = append(d.stores, store{kind, rest})
		case "file":
			d.files[rest] = true
		case "installed":
			d.local[path.Dir(rest)] = true
		case "parent":
			d.addParent(rest)
		}
	}
	if err := lines.Err(); err != nil {
		return Downloads{}, err
	}
	if limited.N <= 0 {
		return Downloads{}, errors.New("the list is too long")
	}
	slices.SortFunc(d.Above, func(a, b content.Directory) int { return strings.Compare(a.Path, b.Path) })
	return d, nil
}

// addParent adds a directory above a store, unless it is invalid or known.
func (d *Downloads) addParent(text string) {
	fields := strings.SplitN(text, " ", 4)
	if len(fields) != 4 || fields[3] == "/" {
		return
	}
	mode, modeErr := strconv.ParseInt(fields[0], 8, 64)
	uid, uidErr := strconv.Atoi(fields[1])
	gid, gidErr := strconv.Atoi(fields[2])
	directory := content.Directory{Path: fields[3], Mode: mode, UID: uid, GID: gid}
	if errors.Join(modeErr, uidErr, gidErr) == nil && !slices.Contains(d.Above, directory) {
		d.Above = append(d.Above, directory)
	}
}

// Stores returns the directories that contain files of the snapshot.
func (d Downloads) Stores() []string {
	var dirs []string
	for _, s := range d.stores {
		for name := range d.files {
			if d.isKept(s, name) {
				dirs = append(dirs, s.dir)
				break
			}
		}
	}
	return dirs
}

// Keep reports whether a file belongs in the snapshot. That is what a later build would download again with the same result.
// Snapshot versions and lists of versions (maven-metadata) may change at any time, so each build asks for them. Notes of what
// was not found are no downloads, nor is what the build itself has installed. Maven checks sums only when it downloads.
func (d Downloads) Keep(name string) bool {
	return slices.ContainsFunc(d.stores, func(s store) bool { return d.isKept(s, name) })
}

func (d Downloads) isKept(s store, name string) bool {
	if !d.files[name] || !strings.HasPrefix(name, s.dir+"/") || isTemporary(name) || isSnapshotVersion(name) {
		return false
	}
	base := path.Base(name)
	switch s.kind {
	case mavenStore:
		return d.isDownloaded(name) && !strings.HasPrefix(base, "maven-metadata") && !isSum(name)
	case toolStore:
		return !d.files[name+".ok"] // the archive of a Gradle distribution, which is unpacked beside it
	}
	return true
}

// isDownloaded reports whether Maven has downloaded a file of its repository: it notes for each directory where the files come
// from.
func (d Downloads) isDownloaded(name string) bool {
	dir := path.Dir(name)
	return !d.local[dir] && (d.files[dir+"/_remote.repositories"] || strings.HasPrefix(path.Base(name), "maven-metadata-"))
}

// temporarySuffixes are those of files that are not the content of a download: locks, parts of files, and Maven's notes of
// what was not found.
var temporarySuffixes = []string{".lock", ".lck", ".part", ".tmp", ".lastUpdated"}

func isTemporary(name string) bool {
	base := path.Base(name)
	return base == "resolver-status.properties" || base == "gc.properties" || strings.HasPrefix(base, ".wh.") ||
		strings.Contains(name, "/.locks/") || slices.Contains(temporarySuffixes, path.Ext(base))
}

func isSnapshotVersion(name string) bool { return strings.Contains(name, "-SNAPSHOT/") }

// sums are the suffixes of files that only hold the sum of another one.
var sums = []string{".sha1", ".sha256", ".sha512", ".md5", ".asc"}

func isSum(name string) bool { return slices.Contains(sums, path.Ext(name)) }

// Count returns how many artifacts and descriptions of artifacts were downloaded, without their sums, and whether there is a
// snapshot version among them. With kept, it counts only what belongs in the snapshot.
func (d Downloads) Count(kept bool) (n int, snapshotVersions bool) {
	for name := range d.files {
		if !kept && d.counts(name) || kept && d.counts(name) && d.Keep(name) {
			n++
			snapshotVersions = snapshotVersions || isSnapshotVersion(name)
		}
	}
	return n, snapshotVersions
}

func (d Downloads) counts(name string) bool {
	if isTemporary(name) || isSum(name) || path.Base(name) == "_remote.repositories" {
		return false
	}
	return slices.ContainsFunc(d.stores, func(s store) bool {
		rest, inside := strings.CutPrefix(name, s.dir+"/")
		switch {
		case !inside:
			return false
		case s.kind == mavenStore:
			return d.isDownloaded(name)
		}
		return s.kind == gradleStore && strings.HasPrefix(rest, "files-")
	})
}
