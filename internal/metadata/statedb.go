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
)

// metaInf is the directory in a package that holds the state database indexes. It is next to the code.
const metaInf = "META-INF"

// stateDB is the directory below META-INF that the peer reads; it ignores all others.
const stateDB = "statedb"

// CheckMetaInf returns the errors that [CopyMetaInf] or [ReleaseStateDB] would return, so that build fails early. It
// accepts a package without META-INF, or with a regular file of that name.
func CheckMetaInf(sourceDir string) error {
	dir := filepath.Join(sourceDir, metaInf)
	if !isDir(dir) {
		return nil
	}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && !entry.Type().IsRegular() {
			err = fmt.Errorf("%s is neither a file nor a directory: a package may contain nothing else", path)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("reading the package: %w", err)
	}
	return checkIndexes(filepath.Join(dir, stateDB))
}

// CopyMetaInf copies META-INF from SOURCE_DIR to OUTPUT_DIR, where release finds it. It does nothing if there is none.
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

// ReleaseStateDB checks every index in META-INF/statedb of OUTPUT_DIR and then copies the directory to RELEASE_DIR. The
// peer itself only logs a broken index when the chaincode is deployed, and carries on without it.
func ReleaseStateDB(outputDir, releaseDir string) error {
	from := filepath.Join(outputDir, metaInf, stateDB)
	if err := checkIndexes(from); err != nil {
		return err
	}
	return copyTree(from, filepath.Join(releaseDir, stateDB))
}

// checkIndexes checks every file that the peer treats as an index: *.json in a directory named indexes. It returns all
// problems joined.
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
			problems = append(problems, fmt.Errorf("reading %s: expected a JSON object, not null", path))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the indexes: %w", err)
	}
	return errors.Join(problems...)
}

// copyTree copies directories and regular files. It returns an error for anything else, which the peer would reject in
// RELEASE_DIR. It does nothing if from does not exist.
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
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
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
