// SPDX-License-Identifier: Apache-2.0

package metadata

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"fabric-builder-docker/internal/regular"
)

// metaInf is the directory in a package that holds the state database indexes. It is next to the code.
const metaInf = "META-INF"

// stateDB is the directory below META-INF that the peer reads; it ignores all others.
const stateDB = "statedb"

// serviceMetadata is the directory beside connection.json that stands for META-INF in Fabric's documentation of chaincode as
// an external service.
const serviceMetadata = "metadata"

// ServiceStateDB is the state database's directory in a package of that kind, for messages.
const ServiceStateDB = serviceMetadata + "/" + stateDB

// CheckMetaInf returns the errors that [CopyMetaInf] or [ReleaseStateDB] would return, so that build fails early. It
// accepts a package without META-INF, or with a regular file of that name.
func CheckMetaInf(sourceDir string) error {
	dir := filepath.Join(sourceDir, metaInf)
	if !isDir(dir) {
		return nil
	}
	if err := checkTree(dir); err != nil {
		return err
	}
	return checkIndexes(filepath.Join(dir, stateDB))
}

// checkTree returns an error if a directory of a package contains what a package must not contain.
func checkTree(dir string) error {
	err := walkVisible(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case strings.Contains(entry.Name(), `\`):
			return WindowsName(strings.TrimPrefix(path, filepath.Dir(dir)+"/"))
		case !entry.IsDir() && !entry.Type().IsRegular():
			return fmt.Errorf("%s is neither a file nor a directory: a package may contain nothing else", path)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the package: %w", err)
	}
	return nil
}

// walkVisible walks dir, but leaves out files and directories whose names begin with a dot, as Fabric's packager does. The tar
// of macOS adds a file ._NAME for each file.
func walkVisible(dir string, visit fs.WalkDirFunc) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case path == dir || !strings.HasPrefix(filepath.Base(path), "."):
			return visit(path, entry, err)
		case entry.IsDir():
			return fs.SkipDir
		}
		return nil
	})
}

// CopyMetaInf copies META-INF from SOURCE_DIR to OUTPUT_DIR, where release finds it. It does nothing if there is none.
func CopyMetaInf(sourceDir, outputDir string) error {
	if !isDir(filepath.Join(sourceDir, metaInf)) {
		return nil
	}
	return copyTree(filepath.Join(sourceDir, metaInf), filepath.Join(outputDir, metaInf))
}

// CopyServiceStateDB checks the directory metadata/statedb of a service's package, and copies it to META-INF/statedb in
// OUTPUT_DIR. META-INF/statedb of the package, which is the peer's own convention, wins: if both exist, nothing is copied, and
// ignored is true.
func CopyServiceStateDB(sourceDir, outputDir string) (ignored bool, err error) {
	from := filepath.Join(sourceDir, serviceMetadata, stateDB)
	if !isDir(from) {
		return false, nil
	}
	if !absent(filepath.Join(sourceDir, metaInf, stateDB)) {
		return true, nil
	}
	if err := checkTree(from); err != nil {
		return false, err
	}
	if err := checkIndexes(from); err != nil {
		return false, err
	}
	return false, copyTree(from, filepath.Join(outputDir, metaInf, stateDB))
}

func isDir(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.IsDir()
}

// ReleaseStateDB checks every index in META-INF/statedb of OUTPUT_DIR and then copies the directory to RELEASE_DIR. The
// peer itself only logs a broken index when the chaincode is deployed, and carries on without it.
func ReleaseStateDB(outputDir, releaseDir string) error {
	from := filepath.Join(outputDir, metaInf, stateDB)
	if err := checkIndexes(from); err != nil {
		return err
	}
	return copyTree(from, filepath.Join(releaseDir, stateDB))
}

// maxProblems limits how many broken indexes an error names. The peer logs each on a line of its own.
const maxProblems = 20

// checkIndexes checks every file that the peer treats as an index: *.json in a directory named indexes. It returns the
// problems joined.
func checkIndexes(dir string) error {
	if absent(dir) {
		return nil
	}
	var problems []error
	err := walkVisible(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".json" || filepath.Base(filepath.Dir(path)) != "indexes" {
			return err
		}
		var index map[string]json.RawMessage
		if err := readJSON(path, &index); err != nil {
			problems = append(problems, err)
		} else if index == nil {
			problems = append(problems, fmt.Errorf("reading %s: expected a JSON object, not null", path))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the indexes: %w", err)
	}
	if more := len(problems) - maxProblems; more > 0 {
		problems = append(problems[:maxProblems], fmt.Errorf("%d more indexes cannot be read", more))
	}
	return errors.Join(problems...)
}

// copyTree copies directories and regular files whose names do not begin with a dot. It returns an error for anything else, which the peer would reject in
// RELEASE_DIR. It does nothing if from does not exist.
func copyTree(from, to string) error {
	if absent(from) {
		return nil
	}
	err := walkVisible(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := to + strings.TrimPrefix(path, from)
		switch {
		case entry.IsDir():
			return os.MkdirAll(target, 0o755)
		case !entry.Type().IsRegular():
			return fmt.Errorf("%s is not a regular file", path)
		}
		return copyFile(path, target)
	})
	if err != nil {
		return fmt.Errorf("copying %s: %w", from, err)
	}
	return nil
}

// copyFile copies a file of any size.
func copyFile(from, to string) error {
	source, err := regular.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := regular.Create(to, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}

func absent(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}
