// SPDX-License-Identifier: Apache-2.0

// Package metadata reads and writes the files of the external builder contract, and derives names and labels from
// them: metadata.json, image.json and connection.json of a package, chaincode.json of a launch, META-INF, the build
// record in OUTPUT_DIR, and the names of images and containers. It depends on little more than the standard library, to
// keep detect and release small.
package metadata

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"

	"fabric-builder-docker/internal/regular"
)

// PackageFile is the name of the file in METADATA_DIR that describes a package.
const PackageFile = "metadata.json"

// Package holds the fields of metadata.json. Other keys are ignored, since packages made by hand may have more.
type Package struct {
	Type  string `json:"type"`  // lower case once read; the 1.x lifecycle writes it in upper case
	Label string `json:"label"` // empty in the 1.x lifecycle
	Path  string `json:"path"`  // golang only: the Go package to build
}

// labels matches the labels that a peer accepts: the peer's own expression, and name:version of the 1.x lifecycle.
var labels = regexp.MustCompile(`^[[:alnum:]][[:alnum:]_.+-]*(:[[:alnum:]_.+-]+)?$`)

// MaxLabel is the maximum length of a label in bytes. The peer stores a package in a file named LABEL.SHA256.tar.gz,
// and file names are limited to 255 bytes. Labels of up to 173 bytes work everywhere.
const MaxLabel = 255 - len(".tar.gz") - 1 - 64

// ReadPackage reads metadata.json in METADATA_DIR. It returns an error if the type is missing, but does not check the
// label: the package may belong to another builder.
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

// CheckLabel returns an error if the peer would reject the package's label.
func (p Package) CheckLabel() error {
	switch {
	case p.Label == "":
		return nil
	case len(p.Label) > MaxLabel:
		return fmt.Errorf("label %.40q… is %d bytes long: the maximum is %d", p.Label, len(p.Label), MaxLabel)
	case !labels.MatchString(p.Label):
		return fmt.Errorf("invalid label %q: it must begin with a letter or a digit and contain only letters, digits, and any of _.+-", p.Label)
	}
	return nil
}

// readJSON reads the file at path, which must contain one JSON document, into v. Its errors name the file once.
func readJSON(path string, v any) error {
	data, err := regular.ReadFile(path, MaxFile)
	if err != nil {
		return fmt.Errorf("reading %s: %w", path, reason(err))
	}
	return parseJSON(path, data, v)
}

// parseJSON parses the content of the file at path.
func parseJSON(path string, data []byte, v any) error {
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("reading %s: %w", path, jsonReason(data, err))
	}
	return nil
}

// reason strips the operation and the path from a file system error, for callers that name them in their own message.
func reason(err error) error {
	if pathError := (*fs.PathError)(nil); errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}

// jsonReason adds the line number to an error that encoding/json returned for data.
func jsonReason(data []byte, err error) error {
	if len(strings.TrimSpace(string(data))) == 0 {
		return errors.New("the file is empty")
	}
	for _, mark := range []string{"\xef\xbb\xbf", "\xff\xfe", "\xfe\xff"} {
		if strings.HasPrefix(string(data), mark) {
			return errors.New("parsing JSON: the file begins with a byte order mark, as some programs on Windows write it: " +
				"save it as UTF-8 without one")
		}
	}
	offset := int64(-1)
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		offset = syntax.Offset
	}
	if wrongType := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrongType) {
		offset = wrongType.Offset
	}
	if offset < 0 || offset > int64(len(data)) {
		return fmt.Errorf("parsing JSON: %w", err)
	}
	// The offset points past the offending byte, which may itself be a line break.
	line := 1 + strings.Count(string(data[:max(offset-1, 0)]), "\n")
	return fmt.Errorf("parsing JSON: line %d: %w", line, err)
}
