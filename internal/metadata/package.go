// Package metadata owns every file of the external-builder contract, and the names and labels that are made from them:
// metadata.json, image.json and connection.json of a package, chaincode.json of a launch, META-INF, the build record in
// OUTPUT_DIR, and the names of images and containers. It uses the standard library alone, so that detect and release stay
// small.
package metadata

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

// PackageFile is the file in METADATA_DIR that describes a package.
const PackageFile = "metadata.json"

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

// ReadPackage reads metadata.json of METADATA_DIR. It checks that there is a type, not that the label is allowed:
// a package of somebody else is none of our business.
func ReadPackage(metadataDir string) (Package, error) {
	path := filepath.Join(metadataDir, PackageFile)
	var p Package
	if err := readJSON(path, &p); err != nil {
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

// readJSON reads one JSON document into v. Its errors name the file once and say what is wrong with it.
func readJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading %s: %w", path, reason(err))
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("reading %s: %w", path, jsonReason(data, err))
	}
	return nil
}

// reason is a file system error without the operation and the path, which the caller names itself.
func reason(err error) error {
	if pathError := (*fs.PathError)(nil); errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}

// jsonReason is a JSON error with the line it stands in.
func jsonReason(data []byte, err error) error {
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
