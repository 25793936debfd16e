package metadata

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// metaInf is the directory of a package that is kept beside its code: indexes for the state database.
const metaInf = "META-INF"

// stateDB is the only part of META-INF that the peer knows.
const stateDB = "statedb"

// CheckMetaInf finds what [CopyMetaInf] or [ReleaseStateDB] would refuse, before anything is built. A package without
// META-INF, or with a file of that name, is fine.
func CheckMetaInf(sourceDir string) error {
	dir := filepath.Join(sourceDir, metaInf)
	if !isDir(dir) {
		return nil
	}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && !entry.Type().IsRegular() {
			err = fmt.Errorf("%s is neither a file nor a directory, and a package holds nothing else", path)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("reading the package: %w", err)
	}
	return checkIndexes(filepath.Join(dir, stateDB))
}

// CopyMetaInf copies META-INF of a package to OUTPUT_DIR, for release. A package without one is fine.
func CopyMetaInf(sourceDir, outputDir string) error {
	if !isDir(filepath.Join(sourceDir, metaInf)) {
		return nil
	}
	return copyTree(filepath.Join(sourceDir, metaInf), filepath.Join(outputDir, metaInf))
}

func isDir(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.IsDir()
}

// ReleaseStateDB copies META-INF/statedb of OUTPUT_DIR to RELEASE_DIR, once every index in it is known to be valid.
// The peer only logs a broken index when the chaincode is deployed, and then goes on without it.
func ReleaseStateDB(outputDir, releaseDir string) error {
	from := filepath.Join(outputDir, metaInf, stateDB)
	if err := checkIndexes(from); err != nil {
		return err
	}
	return copyTree(from, filepath.Join(releaseDir, stateDB))
}

// checkIndexes reads all that the peer will take for an index: *.json in a directory called indexes. All that is
// wrong is reported at once.
func checkIndexes(dir string) error {
	if absent(dir) {
		return nil
	}
	var problems []error
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".json" || filepath.Base(filepath.Dir(path)) != "indexes" {
			return err
		}
		var index map[string]json.RawMessage
		if err := readJSON(path, &index); err != nil {
			problems = append(problems, err)
		} else if index == nil {
			problems = append(problems, fmt.Errorf("reading %s: an index is a JSON object, not null", path))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the indexes: %w", err)
	}
	return errors.Join(problems...)
}

// copyTree copies directories and regular files: the peer takes nothing else from RELEASE_DIR. A tree that is not
// there is fine.
func copyTree(from, to string) error {
	if absent(from) {
		return nil
	}
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := to + strings.TrimPrefix(path, from)
		switch {
		case entry.IsDir():
			return os.MkdirAll(target, 0o755)
		case !entry.Type().IsRegular():
			return fmt.Errorf("%s is no regular file", path)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o644)
	})
	if err != nil {
		return fmt.Errorf("copying %s: %w", from, err)
	}
	return nil
}

func absent(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}
