// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

const (
	metadataFile = "metadata.json"
	codeFile     = "code.tar.gz"
)

// maxLabel is the longest label for which the peer can create its scratch directory. The name consists of "fabric-",
// the label, a hyphen, 64 hex digits and 10 random digits, at most 255 bytes.
const maxLabel = 173

var validLabel = regexp.MustCompile(`^[[:alnum:]][[:alnum:]_.+-]*$`)

// unsafeInPath matches the characters of a package ID that become "-" in a file name.
var unsafeInPath = regexp.MustCompile(`[<>:"/\\|?*&]`)

// PackageID returns the ID of a package: its label and SHA-256.
func PackageID(label string, pkg []byte) string {
	return fmt.Sprintf("%s:%x", label, sha256.Sum256(pkg))
}

// pathOf returns the name of the directory for a package's build.
func pathOf(packageID string) string {
	return unsafeInPath.ReplaceAllString(packageID, "-")
}

// labelOf returns the part of a package ID before its hash.
func labelOf(packageID string) string {
	label, _, _ := strings.Cut(packageID, ":")
	return label
}

// pkg is a parsed package.
type pkg struct {
	label    string
	metadata []byte
	code     []byte
}

// parse parses a package. Like Fabric's peer, it ignores other files than the two.
func parse(raw []byte) (*pkg, error) {
	unzipped, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("parsing package: %w", err)
	}
	parsed := &pkg{}
	archive := tar.NewReader(unzipped)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("parsing package: %w", err)
		}
		if err := parsed.add(header, archive); err != nil {
			return nil, fmt.Errorf("parsing package: %w", err)
		}
	}
	return parsed, parsed.check()
}

func (p *pkg) add(header *tar.Header, archive io.Reader) error {
	if header.Typeflag != tar.TypeReg {
		return fmt.Errorf("tar entry %s is not a regular file, type %v", header.Name, header.Typeflag)
	}
	content, err := io.ReadAll(archive)
	if err != nil {
		return err
	}
	switch header.Name {
	case metadataFile:
		p.metadata = content
	case codeFile:
		p.code = content
	}
	return nil
}

func (p *pkg) check() error {
	if p.code == nil {
		return fmt.Errorf("parsing package: %s is missing", codeFile)
	}
	if p.metadata == nil {
		return fmt.Errorf("parsing package: %s is missing", metadataFile)
	}
	var metadata struct{ Type, Path, Label string }
	if err := json.Unmarshal(p.metadata, &metadata); err != nil {
		return fmt.Errorf("parsing %s: %w", metadataFile, err)
	}
	if !validLabel.MatchString(metadata.Label) {
		return fmt.Errorf("parsing %s: invalid label '%s'", metadataFile, metadata.Label)
	}
	if len(metadata.Label) > maxLabel {
		return fmt.Errorf("parsing %s: label of %d characters: file name too long", metadataFile, len(metadata.Label))
	}
	p.label = metadata.Label
	return nil
}
