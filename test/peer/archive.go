// SPDX-License-Identifier: Apache-2.0

package peer

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"fmt"
)

// Entry is an entry of an archive.
type Entry struct {
	Name string
	Body []byte
	// Mode is 0100644 if zero.
	Mode int64
	// Type is tar.TypeReg if zero.
	Type byte
	// Link is the target of a link.
	Link string
}

// File returns an entry with the mode that the CLI writes.
func File(name, body string) Entry { return Entry{Name: name, Body: []byte(body)} }

// Archive returns a gzipped tar of the entries exactly as given, even if they are invalid.
func Archive(entries ...Entry) ([]byte, error) {
	var buffer bytes.Buffer
	zipped := gzip.NewWriter(&buffer)
	archive := tar.NewWriter(zipped)
	for _, entry := range entries {
		if err := entry.write(archive); err != nil {
			return nil, fmt.Errorf("archiving %q: %w", entry.Name, err)
		}
	}
	if err := archive.Close(); err != nil {
		return nil, fmt.Errorf("archiving: %w", err)
	}
	if err := zipped.Close(); err != nil {
		return nil, fmt.Errorf("archiving: %w", err)
	}
	return buffer.Bytes(), nil
}

func (e Entry) write(archive *tar.Writer) error {
	header := &tar.Header{
		Name: e.Name, Linkname: e.Link, Size: int64(len(e.Body)),
		Mode: cmp.Or(e.Mode, 0o100644), Typeflag: cmp.Or(e.Type, tar.TypeReg),
		Uid: 500, Gid: 500,
	}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err := archive.Write(e.Body)
	return err
}

// Assemble returns a package with metadata that may have any keys, and code entries that may have any name and mode.
func Assemble(metadata map[string]any, code ...Entry) ([]byte, error) {
	encoded, err := json.Marshal(metadata)
	if err != nil {
		return nil, fmt.Errorf("encoding %s: %w", metadataFile, err)
	}
	archive, err := Archive(code...)
	if err != nil {
		return nil, err
	}
	return Archive(Entry{Name: metadataFile, Body: encoded}, Entry{Name: codeFile, Body: archive})
}
