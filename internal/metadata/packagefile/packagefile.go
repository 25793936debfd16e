// Package packagefile reads metadata.json of a package, for package metadata and for detect. Detect runs for every
// package of every builder and has to stay small, so what it needs of the contract's files stands here, on its own.
package packagefile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Name is the file in METADATA_DIR that describes a package.
const Name = "metadata.json"

// Package is what metadata.json says. Keys that are not ours are ignored: hand-made packages have more.
type Package struct {
	Type  string `json:"type"`  // in lower case after Read; packages of the 1.x lifecycle come in upper case
	Label string `json:"label"` // empty for packages of the 1.x lifecycle
	Path  string `json:"path"`  // golang: the package to build
}

// labels are what a peer accepts: its own expression, and name:version of the 1.x lifecycle.
var labels = regexp.MustCompile(`^[[:alnum:]][[:alnum:]_.+-]*(:[[:alnum:]_.+-]+)?$`)

// MaxLabel is the longest label in bytes: the peer keeps a package in a file called label.sha256.tar.gz, and a file
// name has 255 bytes. It is a little more than the 173 that work everywhere, never less.
const MaxLabel = 255 - len(".tar.gz") - 1 - 64

// Read reads metadata.json of METADATA_DIR. It checks that there is a type, not that the label is allowed:
// a package of somebody else is none of our business.
func Read(metadataDir string) (Package, error) {
	path := filepath.Join(metadataDir, Name)
	var p Package
	if err := ReadJSON(path, &p); err != nil {
		return Package{}, err
	}
	if p.Type == "" {
		return Package{}, fmt.Errorf("%s has no %q: expected an object such as %s", path, "type",
			`{"type":"golang","label":"basic_1.0","path":"."}`)
	}
	p.Type = strings.ToLower(p.Type)
	return p, nil
}

// CheckLabel says whether the peer would accept the package's label.
func (p Package) CheckLabel() error {
	switch {
	case p.Label == "":
		return nil
	case len(p.Label) > MaxLabel:
		return fmt.Errorf("label %.40q… has %d bytes: at most %d are allowed", p.Label, len(p.Label), MaxLabel)
	case !labels.MatchString(p.Label):
		return fmt.Errorf("label %q is not allowed: it must begin with a letter or a digit and hold only letters, digits, and any of _.+-", p.Label)
	}
	return nil
}

// ReadJSON reads one JSON document into v. Its errors name the file once and say what is wrong with it.
func ReadJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading %s: %w", path, Reason(err))
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("reading %s: %w", path, JSONReason(data, err))
	}
	return nil
}

// Reason is a file system error without the operation and the path, which the caller names itself.
func Reason(err error) error {
	if pathError := (*fs.PathError)(nil); errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}

// JSONReason is a JSON error with the line it stands in.
func JSONReason(data []byte, err error) error {
	if len(strings.TrimSpace(string(data))) == 0 {
		return errors.New("the file is empty")
	}
	offset := int64(-1)
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		offset = syntax.Offset
	}
	if wrongType := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrongType) {
		offset = wrongType.Offset
	}
	if offset < 0 || offset > int64(len(data)) {
		return fmt.Errorf("not the JSON expected here: %w", err)
	}
	// The offset is behind the byte at fault, which may be a line break itself.
	line := 1 + strings.Count(string(data[:max(offset-1, 0)]), "\n")
	return fmt.Errorf("not the JSON expected here: line %d: %w", line, err)
}
