// SPDX-License-Identifier: Apache-2.0

package content

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
)

// Digest computes a SHA-256 over named lists of values. It hashes the length of every name and value as well, so that
// different names and values never result in the same input.
type Digest struct{ hash hash.Hash }

// NewDigest returns an empty digest.
func NewDigest() Digest { return Digest{sha256.New()} }

// Add adds a list of values under a name.
func (d Digest) Add(name string, values ...string) {
	fmt.Fprintf(d.hash, "%d:%s%d;", len(name), name, len(values))
	for _, value := range values {
		fmt.Fprintf(d.hash, "%d:%s", len(value), value)
	}
}

// AddFiles adds files and directories under a name: their paths, kinds (directory, executable or other file) and
// contents.
func (d Digest) AddFiles(name string, files []File) {
	var values []string
	for _, f := range files {
		values = append(values, f.Path, f.kind(), f.SHA256)
	}
	d.Add(name, values...)
}

// Sum returns the digest of everything that was added, as 64 hex digits.
func (d Digest) Sum() string { return hex.EncodeToString(d.hash.Sum(nil)) }

func (f File) kind() string {
	switch {
	case f.Dir:
		return "directory"
	case f.Executable:
		return "executable"
	}
	return "file"
}
